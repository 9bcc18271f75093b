"""What authors of workflows import: steps, workflows, signals, retry policies, and what code may ask of its execution.

Imports nothing of the engine: a workflow module costs little to import, and a step is a plain function in a unit test.
"""
