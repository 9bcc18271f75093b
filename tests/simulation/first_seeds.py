"""For each mutant of test_invariants.py the first run, workflow and seed, that notices it.

The gate tries these runs on the mutants, and on the engine as it is: what a mutant does wrong would be noticed there.
A run that notices nothing any more is searched for anew, and the test run ends by saying what to write here.
"""

from __future__ import annotations

FIRST: dict[str, tuple[str, int]] = {
    "a_cancel_is_not_counted": ("semaphore", 6),
    "a_cancel_leaves_the_commands_open": ("semaphore", 6),
    "a_chain_goes_on_with_siblings_out": ("fan_out", 0),
    "a_claim_that_was_refused_is_run": ("fan_out", 3),
    "a_cut_is_not_logged": ("halves", 1),
    "a_failed_step_returns_something": ("shape", 0),
    "a_failure_is_parked_after_it_is_written": ("approvals", 2),
    "a_fenced_worker_goes_on": ("linear", 94),
    "a_hint_is_followed_though_the_order_marks_its_command_no_more": ("cancels", 10),
    "a_hint_is_followed_where_a_chain_may_have_begun": ("nested", 30),
    "a_look_forgets_that_it_has_told_before": ("verdict", 95),
    "a_memory_is_trusted_whoever_has_had_the_news": ("gathers", 0),
    "a_message_does_not_lead_to_the_end_of_its_chain": ("linear", 1),
    "a_message_of_an_ended_execution_is_kept": ("approvals", 2),
    "a_message_that_is_not_ready_is_deleted": ("completed", 1),
    "a_message_with_the_seal_of_an_order_that_has_lost_is_deleted": ("completed", 8),
    "a_park_message_is_taken_for_a_redrive_of_itself": ("approvals", 2),
    "a_park_message_of_another_writer_is_taken_for_a_redrive": ("late", 9),
    "a_process_that_has_forgotten_takes_the_token_that_stands": ("gathers", 2),
    "a_resume_does_not_cut_the_order": ("halves", 2),
    "a_resume_does_not_reopen_the_failure": ("approvals", 2),
    "a_resume_does_not_reopen_what_was_decided_after_the_failure": ("saga", 1),
    "a_resume_keeps_the_delays_from_before_it": ("late", 21),
    "a_resume_takes_records_away_instead_of_reopening_them": ("saga", 1),
    "a_seal_is_not_checked": ("completed", 2),
    "a_signal_is_accepted_before_it_is_written": ("fan_out", 52),
    "a_signal_that_was_taken_counts_as_free": ("approvals", 0),
    "a_step_that_was_interrupted_runs_again_in_any_case": ("only_once", 7),
    "a_worker_goes_by_an_order_that_is_not_durable": ("verdict", 7),
    "a_worker_that_was_fenced_deletes_the_message": ("torn", 22),
    "a_write_does_not_look_at_the_revision": ("timed", 6),
    "a_write_without_an_answer_counts_as_anothers": ("linear", 13),
    "an_end_is_written_before_the_order_that_led_to_it": ("deadline", 10),
    "an_entry_of_the_order_takes_the_place_of_another": ("verdict", 3),
    "an_order_is_made_durable_too_late": ("verdict", 1),
    "chance_is_drawn_anew_each_time_and_the_input_with_it": ("timed", 0),
    "leases_are_not_looked_at": ("approvals", 23),
    "the_history_is_read_in_any_order": ("approvals", 2),
    "the_sweep_sees_nothing": ("approvals", 17),
    "what_an_older_generation_sent_counts": ("torn", 12),
    "what_has_changed_is_not_all_known": ("cancels", 4),
    "what_is_marked_as_sent_is_sent_after_it": ("semaphore", 4),
    "what_runs_is_not_told_that_it_was_taken_back": ("cancels", 45),
    "what_was_stopped_keeps_its_lease": ("nested", 7),
}
