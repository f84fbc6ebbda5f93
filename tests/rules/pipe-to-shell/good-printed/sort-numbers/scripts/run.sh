#!/bin/sh
command -v uv || echo "ERROR: install uv: curl -LsSf https://astral.sh/uv/install.sh | sh" >&2
