// The export menu: starts the download, shows how far it is, stops it.

import { $, menu, toast } from "./dom.js";
import { count } from "./format.js";

// run(format, onProgress, signal) resolves to the number of rows
export function bindExport({ run, onError }) {
  const close = menu($("#export-button"), $("#export-menu"));
  for (const item of $("#export-menu").querySelectorAll("[data-format]")) {
    item.addEventListener("click", () => {
      close();
      start(item.dataset.format, run, onError);
    });
  }
}

async function start(format, run, onError) {
  const stop = new AbortController();
  const say = (rows) => { $("#progress-text").textContent = `Exporting ${count(rows)} events`; };
  $("#progress").hidden = false;
  $("#progress-stop").onclick = () => stop.abort();
  say(0);
  try {
    toast(`${count(await run(format, say, stop.signal))} events exported`);
  } catch (error) {
    if (!stop.signal.aborted) onError(error);
  } finally {
    $("#progress").hidden = true;
  }
}
