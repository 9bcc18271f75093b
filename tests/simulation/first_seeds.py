"""For each mutant of test_invariants.py the first run, workflow and seed, that notices it.

The gate tries these runs on the mutants, and on the engine as it is: what a mutant does wrong would be noticed there.
A run that notices nothing any more is searched for anew, and the test run ends by saying what to write here.
"""

from __future__ import annotations

FIRST: dict[str, tuple[str, int]] = {
    "a_look_forgets_that_it_has_told_before": ("shape", 45),
    "a_park_message_of_another_writer_is_taken_for_a_redrive": ("torn", 187),
    "a_resume_takes_records_away_instead_of_reopening_them": ("saga", 147),
}
