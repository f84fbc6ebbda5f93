"""Runs one program as for `--help` and writes what its parser takes: `probe.py OUT KIND TARGET ARGUMENT...`.

KIND is `entry` (TARGET is module:function of a console script), `module` or `script` (a path). It runs in the Python of
the program, so it imports nothing but the standard library. argparse and click (typer's too) are caught where they
would print their help or begin to parse; what is caught is written to OUT as interface.py reads it, and the process
ends at once. A program of another kind prints its help, and nothing is written.

For a script, a module that it imports and that is not installed is an empty stand-in: it names its options whether or
not what it works with is here.
"""

import argparse
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import runpy
import sys

MANY = 1_000_000


def finish(out, command):
    """Writes and ends the process: no cleanup of the program is waited for."""
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(command, file)
    os._exit(0)


# argparse


def _times(nargs, *, option):
    if nargs is None:
        return 1, 1
    if isinstance(nargs, int):
        return nargs, nargs
    return {"?": (0, 1), "*": (0, MANY), "+": (1, MANY)}.get(nargs, (0, MANY))


def _kind(converter):
    return converter.__name__ if converter in (int, float) else ""


def _choices(choices):
    return None if choices is None else [str(getattr(choice, "value", choice)) for choice in choices]


def of_argparse(parser):
    """What an ArgumentParser takes, with all its subparsers."""
    command = {"options": [], "arguments": [], "subcommands": {}, "abbreviates": parser.allow_abbrev}
    command["deferred"] = not parser.add_help and not any(
        "--help" in action.option_strings for action in parser._actions
    )
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                command["subcommands"][name] = of_argparse(sub)
        elif action.option_strings:
            least, most = (0, 0) if action.nargs == 0 else _times(action.nargs, option=True)
            command["options"].append(
                {
                    "names": list(action.option_strings),
                    "least": least,
                    "most": most,
                    "choices": _choices(action.choices),
                    "kind": _kind(action.type),
                }
            )
        elif action.nargs in (argparse.REMAINDER, argparse.PARSER):
            command["arguments"].append(
                {"name": action.dest, "least": int(action.nargs == argparse.PARSER), "most": MANY}
            )
            command["passes_on"] = True
        else:
            least, most = _times(action.nargs, option=False)
            command["arguments"].append(
                {
                    "name": action.dest,
                    "least": least if action.default is None or action.nargs != "*" else 0,
                    "most": most,
                    "choices": _choices(action.choices),
                    "kind": _kind(action.type),
                }
            )
    return command


def catch_argparse(out):
    """A parser that is asked for its help is written instead."""

    def caught(self, parser, namespace, values, option_string=None):
        finish(out, of_argparse(parser))

    argparse._HelpAction.__call__ = caught
    argparse.ArgumentParser.print_help = lambda self, file=None: finish(out, of_argparse(self))


# click, and the copy of it in typer


def _type_of(parameter):
    """The closed set of a parameter's values, and whether it is a number. typer keeps its types apart from click's."""
    described = getattr(parameter, "type_descriptor", None)
    if described is not None:
        kind = getattr(described.annotation, "__name__", "")
        return {"choices": _choices(described.choices), "kind": kind if kind in ("int", "float") else ""}
    choices = getattr(parameter.type, "choices", None)
    if choices is not None:
        try:  # a subclass may propose values and take any
            parameter.type.convert("no such choice", None, None)
            choices = None
        except Exception:  # noqa: BLE001 the set is closed, whatever says so
            pass
    kind = getattr(parameter.type, "name", "").split()[0]
    return {"choices": _choices(choices), "kind": {"integer": "int", "float": "float"}.get(kind, "")}


def of_click(command):
    """What a click command takes, with all commands below it. Recognized by attributes: typer has its own classes."""
    if hasattr(command, "materialize"):  # hf imports the module of a command when it is run
        command = command.materialize()
    settings = getattr(command, "context_settings", None) or {}
    found = {
        "options": [],
        "arguments": [],
        "subcommands": {},
        "extra_options": bool(
            settings.get("ignore_unknown_options") or getattr(command, "ignore_unknown_options", False)
        ),
        "any_arguments": bool(settings.get("allow_extra_args")),
        "passes_on": settings.get("allow_interspersed_args") is False and not hasattr(command, "list_commands"),
    }
    for parameter in command.params:
        shared = _type_of(parameter)
        times = parameter.nargs if isinstance(parameter.nargs, int) else 1
        if parameter.param_type_name == "argument":
            least, most = (int(parameter.required), MANY) if times < 0 else (times if parameter.required else 0, times)
            found["arguments"].append({"name": parameter.name, "least": least, "most": most, **shared})
        else:
            takes = 0 if parameter.is_flag or getattr(parameter, "count", False) else times
            least = 0 if getattr(parameter, "_flag_needs_value", False) else takes
            names = [*parameter.opts, *parameter.secondary_opts]
            found["options"].append({"names": names, "least": least, "most": takes, **shared})
    names = {name for option in found["options"] for name in option["names"]}
    if getattr(command, "add_help_option", True):
        helps = settings.get("help_option_names") or ["--help"]
        found["options"].append({"names": [name for name in helps if name not in names]})
    if hasattr(command, "list_commands"):
        context = command.context_class(command, info_name=command.name, resilient_parsing=True)
        # Hidden and lazy commands are in neither list alone.
        for name in dict.fromkeys([*command.list_commands(context), *(getattr(command, "commands", None) or {})]):
            sub = command.get_command(context, name)
            # A group may give its aliases in one name: "list | ls".
            for one in name.split("|") if sub is not None else ():
                found["subcommands"][one.strip()] = of_click(sub)
    if getattr(command, "invoke_without_command", False) and not found["subcommands"]:
        found["any_arguments"] = True
    return found


def catch_click(out):
    """A command that is called is written instead, as soon as click or typer is imported."""

    def patch(module):
        for kind in list(vars(module).values()):
            if isinstance(kind, type) and "main" in vars(kind):
                kind.main = lambda self, *_, **__: finish(out, of_click(self))

    for name in ("click.core", "typer._click.core", "typer.core"):
        if name in sys.modules:
            patch(sys.modules[name])
            continue

        class Watch(importlib.abc.MetaPathFinder):
            """Patches the module `wanted` once it has been loaded."""

            wanted = name

            def find_spec(self, fullname, path, target=None):
                if fullname != self.wanted:
                    return None
                sys.meta_path.remove(self)
                spec = importlib.machinery.PathFinder.find_spec(fullname, path)
                if spec is not None:
                    load = spec.loader.exec_module

                    def and_patch(module):
                        load(module)
                        patch(module)

                    spec.loader.exec_module = and_patch
                return spec

        sys.meta_path.insert(0, Watch())


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last finder: makes an empty module of what files in `folder` import and nobody else finds.

    Only for those: installed libraries try modules that are optional, and go on without them.
    """

    def __init__(self, folder):
        self.folder = folder
        self.made = set()

    def find_spec(self, fullname, path, target=None):
        top = fullname.partition(".")[0]
        if top in sys.stdlib_module_names or not (top in self.made or self._asked_here()):
            return None
        self.made.add(top)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def _asked_here(self):
        frame = sys._getframe(2)
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is not None and os.path.dirname(os.path.abspath(frame.f_code.co_filename)) == self.folder  # noqa: PTH100, PTH120

    def create_module(self, spec):
        from types import ModuleType
        from unittest.mock import MagicMock

        class Empty(ModuleType):
            def __getattr__(self, name):
                if name.startswith("__"):
                    raise AttributeError(name)
                return MagicMock(name=name)

        return Empty(spec.name)

    def exec_module(self, module):
        pass


def main(out, kind, target, *arguments):
    """Runs the program; what it prints goes where it goes."""
    catch_argparse(out)
    catch_click(out)
    sys.argv = [os.environ.get("SKILLPACK_PROBE_NAME", target), *arguments]
    if kind == "entry":
        sys.path.pop(0)  # the folder of this file
        module, _, attribute = target.partition(":")
        function = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
        sys.exit(function())
    elif kind == "module":
        sys.path.pop(0)
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(target))  # noqa: PTH100, PTH120
        sys.meta_path.append(Absent(sys.path[0]))
        sys.argv[0] = target
        runpy.run_path(target, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
