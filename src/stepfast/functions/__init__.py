"""The Lambda functions: each parses its event, calls one thing of the engine and returns."""

import gc
import os

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE"):
    # A sandbox begins: what is imported now stays, and looking through it again and again takes a tenth of the
    # cold start. `entry` switches it on again.
    gc.disable()
