"""The Lambda functions: each parses its event, makes one call into the engine and returns."""

import gc
import os

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE"):
    # Lambda sets this variable while a sandbox initializes. Every object made now lives as long as the sandbox, and
    # collecting over them repeatedly costs a tenth of the cold start. `entry.EntryPoint` enables the collector again.
    gc.disable()
