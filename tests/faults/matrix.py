"""The fault matrix: what can go wrong, and which test does it, or why none does.

`python -m tests.faults.report` runs the tests that are named here and prints the table of docs/reliability.md.
"""

# ruff: noqa: E501 -- names of tests are sentences
from __future__ import annotations

from typing import Final, NamedTuple

FAULTS: Final = "tests/faults"
E2E: Final = "tests/end_to_end"
ADAPTERS: Final = "tests/adapters"
CORE: Final = "tests/core"
PIPELINE: Final = "tests/pipeline"

ENDPOINT_WELL: Final = f"{FAULTS}/test_endpoint.py::test_whatever_the_endpoint_does_everything_arrives_once_it_is_well"
ENDPOINT_REFUSES: Final = (
    f"{FAULTS}/test_endpoint.py::test_what_an_endpoint_refuses_is_kept_and_counted_and_the_rest_arrives"
)
ROTATES: Final = f"{FAULTS}/test_rotation.py::test_every_way_of_rotating_loses_nothing"
CHAIN: Final = (
    f"{FAULTS}/test_rotation.py::"
    "test_a_chain_that_is_renamed_faster_than_it_is_looked_at_is_read_while_the_endpoint_is_down"
)
ONCE: Final = f"{E2E}/test_rotation.py::test_every_line_arrives_once"
IN_ORDER: Final = f"{E2E}/test_lineage.py::test_every_line_arrives_once_and_in_order"
TEXTS: Final = f"{FAULTS}/test_content.py::test_whatever_stands_in_a_file_arrives_as_it_was_written"
LONG: Final = f"{FAULTS}/test_content.py::test_what_is_very_long_arrives_in_parts_from_which_it_can_be_put_together"
SET_CLOCK: Final = f"{FAULTS}/test_time.py::test_a_clock_that_is_set_stops_nobody"
DAYS: Final = f"{FAULTS}/test_time.py::test_on_days_that_are_out_of_the_ordinary_stamps_mean_what_they_say"
FUTURE: Final = (
    f"{FAULTS}/test_time.py::test_stamps_and_files_of_the_future_are_shipped_with_a_time_that_the_endpoint_takes"
)
STORAGE: Final = f"{FAULTS}/test_storage.py"
FILES: Final = f"{FAULTS}/test_files.py"
CALLS: Final = f"{FAULTS}/test_failing_calls.py"
STATE_FAILS: Final = f"{CALLS}::test_a_state_that_cannot_be_written_stops_reading_and_goes_on_by_itself"
LITTLE: Final = f"{FAULTS}/test_little_left.py"
PROCESS: Final = f"{FAULTS}/test_process.py"
STALLS: Final = f"{FAULTS}/test_stalls.py"
STAMPS: Final = f"{CORE}/test_timestamps.py"


class Row(NamedTuple):
    """One fault.

    Attributes:
        tests: `path::name`, without parameters; none where *reason* says why.
        told: How the outcomes of this row begin, where its test tells of others too.
    """

    group: str
    fault: str
    tests: tuple[str, ...] = ()
    told: str = ""
    reason: str = ""


def _row(group: str, fault: str, *tests: str, told: str = "", reason: str = "") -> Row:
    return Row(group, fault, tests, told, reason)


def _told(group: str, test: str, faults: tuple[str, ...]) -> list[Row]:
    return [Row(group, fault, (test,), f"{group.lower()}: {fault}") for fault in faults]


PROCESS_ROWS: Final = [
    _row("Process", "SIGKILL at random moments", f"{E2E}/test_kill.py::test_no_line_is_lost_however_often_the_agent_is_killed"),
    _row("Process", "SIGKILL at every step of the journal", f"{ADAPTERS}/test_offsets_crash.py::test_a_kill_leaves_a_committed_state_and_no_twins"),
    _row("Process", "SIGKILL while a batch is bisected", f"{E2E}/test_bisection_kill.py::test_three_dead_letters_and_nothing_lost_whichever_request_it_is_killed_at"),
    _row("Process", "SIGKILL: the ledger afterwards", f"{E2E}/test_ledger_kill.py::test_after_every_kill_the_ledger_agrees_with_the_files"),
    _row("Process", "SIGKILL during a reload", f"{PROCESS}::test_an_agent_that_is_killed_while_it_reloads_starts_with_what_is_written_there"),
    _row("Process", "SIGTERM under a full backlog", f"{PROCESS}::test_an_agent_with_a_backlog_ends_in_time_and_the_next_one_sends_the_rest"),
    _row("Process", "SIGSTOP for ten minutes (here: as long as it takes to rotate)", f"{PROCESS}::test_an_agent_that_was_stopped_for_a_while_goes_on_where_it_was", f"{FAULTS}/test_resources.py::test_stopped_for_a_while_it_goes_on_where_it_was"),
    _row("Process", "out-of-memory kill", f"{LITTLE}::test_what_the_kernel_kills_for_its_memory_goes_on_where_it_was"),
    _row("Process", "a control group of 96 MB", f"{FAULTS}/test_resources.py::test_with_96_megabytes_a_backlog_is_delivered"),
    _row("Process", "started twice", f"{PROCESS}::test_a_second_agent_on_the_same_state_is_told_who_holds_it"),
    _row("Process", "an older or a newer format of the state", f"{ADAPTERS}/test_offsets_versions.py::test_an_older_database_is_migrated_and_kept_as_the_good_copy", f"{ADAPTERS}/test_offsets_versions.py::test_a_database_of_a_newer_version_is_not_touched"),
    _row("Process", "a task fails or stands still", f"{STALLS}::test_a_task_that_fails_ends_the_agent_and_what_was_read_is_not_lost", f"{STALLS}::test_a_loop_that_stands_still_starves_the_watchdog"),
    _row("Process", "clock of the service apart from the host's", reason="agent and endpoint are on one host and share its clock; an event that a forwarder's far end finds too old is `test_what_grows_too_old_on_the_way_meets_its_policy`"),
]  # fmt: skip
STORAGE_ROWS: Final = [
    _row("Power/storage", "power cut: torn last record, zero-filled tail", f"{ADAPTERS}/test_offsets_power.py::test_a_commit_that_did_not_reach_the_disk_whole_never_was", f"{ADAPTERS}/test_offsets_power.py::test_pages_of_a_checkpoint_that_came_in_part_do_no_harm"),
    _row("Power/storage", "power cut: lost rename", f"{ADAPTERS}/test_offsets_power.py::test_after_a_lost_rename_the_good_copy_goes_on"),
    _row("Power/storage", "power cut: only what was synced is there", f"{ADAPTERS}/test_offsets_synced.py::test_what_was_said_to_be_saved_stands_in_synced_bytes_under_synced_names"),
    _row("Power/storage", "ENOSPC on the state", f"{STORAGE}::test_a_full_state_disk_stops_reading_and_loses_nothing"),
    _row("Power/storage", "ENOSPC on the state, killed then", f"{STORAGE}::test_killed_while_the_state_disk_is_full_it_sends_again_what_was_not_saved"),
    _row("Power/storage", "ENOSPC on the state, stopped then", f"{STORAGE}::test_stopped_while_the_state_disk_is_full_it_ends_in_time_and_goes_on_later"),
    _row("Power/storage", "ENOSPC on spill and state, a file deleted", f"{STORAGE}::test_a_file_that_is_deleted_while_nothing_can_be_spilled_is_held_open"),
    _row("Power/storage", "ENOSPC on the dead letters", f"{STORAGE}::test_with_no_room_for_a_dead_letter_the_offset_does_not_pass_it"),
    _row("Power/storage", "ENOSPC on the logs' own disk", f"{STORAGE}::test_a_log_on_a_full_disk_is_delivered_up_to_its_last_byte"),
    _row("Power/storage", "EIO on read", f"{STORAGE}::test_bad_blocks_under_a_log_hold_that_file_up_and_no_other"),
    _row("Power/storage", "EIO on reads of a log that is open", f"{CALLS}::test_a_log_that_cannot_be_read_for_a_while_holds_up_no_other"),
    *(_row("Power/storage", fault, STATE_FAILS, told=fault) for fault in ("EIO on writes of the state", "EIO on fsync of the state", "EROFS on writes of the state", "EDQUOT on writes of the state")),
    _row("Power/storage", "EIO on every fsync, killed then", f"{CALLS}::test_killed_while_no_fsync_succeeds_it_sends_again_what_was_not_saved"),
    _row("Power/storage", "EIO on fsync of the dead letters", f"{CALLS}::test_where_no_fsync_succeeds_no_dead_letter_is_passed_and_none_is_written_twice"),
    _row("Power/storage", "EIO, EDQUOT on the spill, a file deleted", f"{CALLS}::test_a_deleted_file_that_cannot_be_spilled_is_held_open_until_it_can"),
    _row("Power/storage", "state broken under the agent", f"{E2E}/test_state_damage.py::test_an_agent_whose_store_breaks_stops_with_74_and_the_next_one_loses_nothing"),
    _row("Power/storage", "EROFS", f"{STORAGE}::test_a_state_disk_that_turns_read_only_stops_reading_and_loses_nothing"),
    _row("Power/storage", "state_dir removed", f"{STORAGE}::test_a_state_directory_that_is_removed_under_the_agent_ends_in_no_loss"),
    _row("Power/storage", "state replaced by an older copy", f"{STORAGE}::test_an_older_copy_of_the_state_sends_again_and_skips_nothing"),
    _row("Power/storage", "state_dir that cannot be used", f"{STORAGE}::test_a_state_directory_that_cannot_be_used_ends_with_74_and_the_mend"),
    _row("Power/storage", "state damaged", f"{ADAPTERS}/test_offsets_damage.py::test_the_last_good_copy_goes_on_and_the_damaged_one_is_kept"),
    _row("Power/storage", "no inodes left for the state", f"{LITTLE}::test_without_inodes_nothing_is_passed_that_needs_a_file_and_the_rest_goes_on"),
]  # fmt: skip
ENDPOINT_ROWS: Final = [
    *_told("Endpoint", ENDPOINT_WELL, (
        "down at start", "accept, then close", "half-closed after headers", "answer truncated", "keep-alive reset",
        "another service on the port", "a web page on the port", "400 always", "402", "403", "404", "redirect",
        "413 always", "413 by count", "413 by bytes", "429, Retry-After in seconds", "429, Retry-After as a date",
        "429, Retry-After that is no time", "429, Retry-After negative", "429, Retry-After long ago",
        "500 with a page", "502", "503", "504", "slow: 100 ms", "slow: 500 ms", "slow: 1000 ms",
    )),
    *_told("Endpoint", ENDPOINT_REFUSES, (
        "400, one bad record", "413 on one record", "200 partial, named", "200 partial, counted",
        "204 lost after it was stored",
    )),
    _row("Endpoint", "429, Retry-After of years", f"{FAULTS}/test_endpoint.py::test_a_retry_after_of_years_is_taken_for_ten_minutes_and_a_restart_does_not_wait_for_it"),
    _row("Endpoint", "flaps at 1 Hz", f"{FAULTS}/test_endpoint.py::test_an_endpoint_that_flaps_once_a_second_gets_everything"),
    _row("Endpoint", "localhost is IPv6 only, proxy variables set", f"{FAULTS}/test_endpoint.py::test_localhost_on_ipv6_only_is_found_whatever_the_proxy_variables_say", f"{ADAPTERS}/test_http_output.py::test_loopback_bypasses_proxies"),
    _row("Endpoint", "hangs (30,000 ms and more)", f"{E2E}/test_faults.py::test_nothing_is_lost_while_the_endpoint", f"{STALLS}::test_a_request_that_outlives_its_timeout_is_given_up_and_sent_again"),
    _row("Endpoint", "down 5 min and longer, by a clock that is made to pass", "tests/model/test_model.py"),
    _row("Endpoint", "down 25 h: past the window", f"{PIPELINE}/test_sender_ages.py::test_what_grows_too_old_on_the_way_meets_its_policy", f"{PIPELINE}/test_window.py"),
]  # fmt: skip
ROTATION_ROWS: Final = [
    _row("Rotation", "rename and create, the writer on the old file", ONCE),
    *_told("Rotation", ROTATES, (
        "the new file is created late", "copy-truncate with a lag", "deleted, the same inode again", "hard link",
        "out of the pattern and back", "directory renamed", "O_TRUNC by the program", "a hole after copy-truncate",
        "100 rotations a second, all kept",
    )),
    _row("Rotation", "truncated and refilled beyond the offset", ONCE, f"{CORE}/test_follow_rotations.py::test_truncate_and_refill_beyond_the_offset_is_seen"),
    _row("Rotation", "a chain .1 to .2 while it is read", ONCE, CHAIN),
    _row("Rotation", "compressed at once: gz, bz2, xz, zst", IN_ORDER, f"{E2E}/test_lineage.py::test_a_compressed_file_that_is_not_whole_is_waited_for"),
    _row("Rotation", "dated names, symlink flip", ONCE),
    _row("Rotation", "rotated while down, once and several times", ONCE, IN_ORDER),
    _row("Rotation", "a record that a rotation cuts", f"{E2E}/test_lineage_records.py::test_a_record_that_a_rotation_cuts_is_one_record"),
    _row("Rotation", "deleted while the endpoint is down", f"{E2E}/test_spill.py::test_what_is_deleted_while_the_endpoint_is_down_arrives_once_and_holds_no_descriptor"),
    _row("Rotation", "several within one scan", "tests/model/test_cases.py::test_everything_arrives_in_order"),
    _row("Rotation", "five a second for ten minutes", reason="by hand: tests/benchmarks/rotation_storm.py, figures below"),
]  # fmt: skip
FILE_ROWS: Final = [
    _row("Files", "unreadable, then readable", f"{FILES}::test_a_file_that_becomes_readable_is_read_from_its_first_byte"),
    _row("Files", "becomes directory, FIFO, socket, device", f"{FILES}::test_a_file_that_becomes_something_else_blocks_nobody"),
    _row("Files", "permission lost while it is read", f"{FILES}::test_permission_that_is_lost_while_a_file_is_read_loses_nothing"),
    _row("Files", "names with a line end, no UTF-8, of 255 bytes", f"{FILES}::test_files_with_odd_names_are_read_rotated_and_found_again"),
    _row("Files", "path over 4096 bytes", f"{FILES}::test_a_path_of_more_than_4096_bytes_is_left_out_and_nothing_else"),
    _row("Files", "mount disappears and returns", f"{FILES}::test_a_mount_that_goes_and_comes_back_is_read_on"),
    _row("Files", "bind mount, one inode twice", f"{FILES}::test_the_same_directory_mounted_twice_is_read_once"),
    _row("Files", "NFS server pauses (reads that do not come back)", f"{STALLS}::test_a_file_system_that_is_dead_keeps_nobody_from_being_read_nor_the_agent_from_ending", f"{STALLS}::test_while_a_directory_does_not_answer_files_elsewhere_are_found_and_its_own_are_not_taken_for_gone"),
    _row("Files", "1,000 files with open lines, 200 with 64 descriptors", f"{FAULTS}/test_resources.py::test_a_thousand_files_that_end_in_the_middle_of_a_line_stay_within_the_budget", f"{FAULTS}/test_resources.py::test_with_64_descriptors_200_files_are_read_whatever_the_endpoint_does"),
    _row("Files", "file system without inotify", f"{ADAPTERS}/test_watch_silence.py::test_directories_of_silent_file_systems_are_polled"),
    _row("Files", "10,000 and 100,000 matched files", reason="by hand: tests/benchmarks/many_files.py, figures in benchmarks.md"),
    _row("Files", "SELinux denial", reason="needs a kernel that runs with SELinux; to the agent it is EACCES, as above"),
    _row("Files", "overlayfs copy-up", f"{LITTLE}::test_a_file_that_an_overlay_copies_up_with_its_first_write_is_read_on"),
    _row("Files", "a directory that cannot be listed (EIO, EMFILE)", f"{CALLS}::test_a_directory_that_cannot_be_listed_for_a_while_says_nothing_of_its_files"),
    _row("Files", "no descriptor to be had (EMFILE) while it runs", f"{LITTLE}::test_without_a_descriptor_to_be_had_what_is_open_is_read_and_the_rest_later"),
    _row("Files", "ESTALE", f"{ADAPTERS}/test_files.py::test_an_error_of_the_system_says_who_acts_next"),
]  # fmt: skip
CONTENT_ROWS: Final = [
    *_told("Content", TEXTS, (
        "one byte at a time", "no final newline", "empty lines", "CRLF", "CR alone", "NULs within lines",
        "a hole of NULs", "invalid, overlong and surrogate UTF-8", "BOM, twice", "UTF-16-LE", "UTF-16-BE", "Latin-1",
        "ANSI codes", "CJK", "JSON: key twice, NaN",
    )),
    *_told("Content", LONG, (
        "a line of 50 MB", "a JSON value of 10 MB", "a stack trace of 10,000 lines", "container lines, P and F",
    )),
    _row("Content", "a line of 1 GB", f"{CORE}/test_framing.py::test_a_line_of_a_gigabyte_leaves_in_parts"),
    _row("Content", "binary", f"{ADAPTERS}/test_discovery_unread.py::test_what_is_binary_by_content_is_named_with_the_reason"),
    _row("Content", "a record that a rotation cuts", f"{E2E}/test_lineage_records.py::test_a_record_that_a_rotation_cuts_is_one_record"),
    _row("Content", "any bytes, in any pieces", f"{CORE}/test_framing.py::test_any_cut_gives_the_same_records"),
]  # fmt: skip
TIME_ROWS: Final = [
    *_told("Time", SET_CLOCK, (
        "one hour forward", "one hour back", "one day forward", "one day back", "slewed",
    )),
    *_told("Time", DAYS, ("year end", "Feb 29", "DST ends", "DST begins", "epoch in s, ms, us, ns")),
    _row("Time", "stamp more than 10 min ahead, mtime in the future", FUTURE),
    _row("Time", "year-less stamps, zone abbreviations", f"{STAMPS}::test_a_missing_year_is_the_latest_not_after_the_file", f"{STAMPS}::test_a_zone_is_a_name_an_abbreviation_or_an_offset"),
]  # fmt: skip
WATCHER_ROWS: Final = [
    _row("Watcher", "observer or emitters killed", f"{FAULTS}/test_watcher.py::test_a_watcher_that_is_killed_is_begun_anew"),
    _row("Watcher", "inotify queue of 16", f"{FAULTS}/test_watcher.py::test_when_the_queue_overflows_nothing_is_lost_and_the_scan_bounds_the_wait"),
    _row("Watcher", "8 watches", f"{FAULTS}/test_watcher.py::test_where_there_are_eight_watches_the_rest_is_polled_and_the_mend_named"),
    _row("Watcher", "events of a watch that was removed", f"{ADAPTERS}/test_watch.py::test_a_directory_that_was_made_again_is_watched_again"),
    _row("Watcher", "our own reads make no events", f"{ADAPTERS}/test_watch.py::test_our_own_reads_do_not_wake_us"),
]  # fmt: skip
ROWS: Final = (
    *PROCESS_ROWS, *STORAGE_ROWS, *ENDPOINT_ROWS, *ROTATION_ROWS, *FILE_ROWS, *CONTENT_ROWS, *TIME_ROWS, *WATCHER_ROWS,
)  # fmt: skip
