"""Reports: one module a format, each with `render(diagnostics, skills, …) -> str`. Nothing here prints."""
