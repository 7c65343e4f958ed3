// Why a request was refused, in words that say what to do. The codes are the endpoint's; one without words shows as it is.

const WORDS = {
  timestamps_out_of_range: "Older than 24 hours: send a current timestamp, or let the shipper re-stamp it",
  invalid_json_format: "Not valid JSON",
  empty_messages: "No event in the request",
  payload_byte_size_limit: "Body over the size limit: send smaller batches",
  internal_buffer_size_limit_reached: "Batch over the size limit after it was read: send smaller batches",
  event_count_limit: "Too many events in one request: send smaller batches",
  event_rate_limit: "Too many events a minute: slow down and send again",
  rate_limit: "Too many requests a minute: slow down and send again",
  unsupported_content_type: "Unsupported Content-Type: use application/json; charset=utf-8",
  invalid_parameter: "A wrong query parameter",
  invalid_request: "The request could not be read",
  method_not_allowed: "Wrong method: logs are taken by POST",
  not_found: "Wrong path: logs are taken by POST /v2/logs/ingest",
  body_timeout: "The body did not arrive in time",
  unknown_expectation: "Unknown Expect header",
  store_full: "The store is full: nothing is lost when the client sends it again",
  overloaded: "Overloaded, or the store is full: the client sends it again",
};

export const inWords = (reason) => WORDS[reason] ?? reason;
