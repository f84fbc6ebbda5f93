"""What a skill is worth: its tasks done by an agent with it and without, graded, and compared.

`suite` reads a skill's evals; `agents` knows how to run an agent and read what it said; `trial` does one task once, on
a Hub of its own; `benchmark` sums up; `harbor` and `upskill` write what those tools read; `triggers` asks which
description a request is nearest to, without any agent.
"""
