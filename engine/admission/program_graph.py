"""Check the graph of an exported program, which is JSON that PyTorch turns into Python code.

Loading resolves operator names by attribute (`torch.os.system` would be found), hands expressions to
sympy, which evaluates them, imports what a tree of inputs names, and writes node names into generated
source. So only known operators, expressions of known words and plain names pass; comments and guards,
which are source code, are left out.
"""

from __future__ import annotations

import json
import re
from typing import Any

from engine.errors import BadInput, RefusedFile

INSTEAD = "Export the model again with torch.export.save on a trusted machine, or upload TorchScript or ONNX."
OPERATORS = re.compile(
    r"^torch\.ops\.(aten|prims|prim|torchvision|quantized_decomposed|quantized|torchao)\.(?!from_file)\w+(\.\w+)?$"
    r"|^torch\.ops\.higher_order\.(cond|while_loop|map_impl|scan|associative_scan|wrap_with_set_grad_enabled"
    r"|wrap_with_autocast|auto_functionalized|auto_functionalized_v2|invoke_subgraph|strict_mode|flex_attention)$"
    r"|^_operator\.(add|sub|mul|floordiv|truediv|mod|neg|pos|abs|pow|getitem|eq|ne|lt|le|gt|ge|and_|or_|not_|xor"
    r"|lshift|rshift|invert|index|iadd|imul|isub)$"
    r"|^math\.(trunc|ceil|floor|sqrt|pow|log|log2|exp|fabs)$"
    r"|^torch\.(sym_int|sym_float|sym_max|sym_min|sym_not|sym_ite|sym_sum|sym_sqrt|_sym_\w+"
    r"|_check|_check_is_size|_C\._set_grad_enabled)$"
)
WORD_LIST = """
    Symbol Integer Float Rational Mul Add Pow Mod Max Min Eq Ne Lt Le Gt Ge And Or Not Equality Unequality
    StrictLessThan StrictGreaterThan LessThan GreaterThan floor ceiling sqrt Abs Piecewise ExprCondPair oo int_oo
    zoo nan true false True False positive nonnegative negative integer real even odd precision FloorDiv
    ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow
    FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal
    ToFloat Identity BooleanTrue BooleanFalse Half One Zero NegativeOne Infinity NegativeInfinity
"""
WORDS = frozenset(WORD_LIST.split())
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|('[\w.\-]*')|([-+*/%(),<>=&|~]))\s*")
SYMBOL = re.compile(r"^(s|u|z|zuf|zf|f)\d+$")
NAME = re.compile(r"^[\w.\-]*$")
TEXT = re.compile(r"^[\w.\-+:/<>\[\], ]*$")
TREES = re.compile(
    r"^(builtins\.(tuple|list|dict|slice)|collections\.(OrderedDict|namedtuple)|torch\.return_types\.\w+"
    r"|transformers\.[\w.]+)$"
)
TREE_KEYS = {"in_spec", "out_spec", "treespec"}
FREE = {"as_string", "as_strings"}
KEPT = ("nn_module_stack",)


def checked(program: dict[str, Any]) -> dict[str, Any]:
    """The program with comments and guards left out; raises RefusedFile for anything that could run."""
    cleaned = {**program, "guards_code": []} if "guards_code" in program else program
    result: dict[str, Any] = check(cleaned, "")
    return result


def check(value: Any, key: str) -> Any:
    """Check one value that stands under a key, and everything below it."""
    if isinstance(value, dict):
        for name in value:
            require(isinstance(name, str) and NAME.match(name), name)
        if value.get("as_custom_obj") or value.get("custom_obj") or value.get("custom_obj_values"):
            raise RefusedFile("The exported program carries torchbind objects, which are not opened.", INSTEAD)
        if "target" in value and "inputs" in value:
            require(OPERATORS.match(str(value["target"])), value["target"])
        if key == "metadata":
            return {name: plain(value[name]) for name in KEPT if name in value}
        return {name: check(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [check(each, key) for each in value]
    if isinstance(value, str) and key in TREE_KEYS and value:
        return json.dumps(checked_tree(json.loads(value)))
    if isinstance(value, str):
        check_text(value, key)
    return value


def check_text(text: str, key: str) -> None:
    """Check one string by the key it stands under."""
    if key == "expr_str":
        require(is_expression(text), text)
    elif key == "torch_version":
        require(re.match(r"^[\w.+\-]*$", text), text)
    elif key == "name" or key.endswith("_name") or key in ("as_name", "fqn", "target"):
        require(NAME.match(text) or OPERATORS.match(text), text)
    elif key not in FREE:
        require(TEXT.match(text), text)


def is_expression(text: str) -> bool:
    """Whether a text holds only numbers, sizes' symbols, and the words and signs of arithmetic."""
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match or match.end() == position:
            return False
        word, quoted = match[2], match[3]
        if word and word not in WORDS and not SYMBOL.match(word):
            return False
        if quoted and not SYMBOL.match(quoted[1:-1]) and not re.match(r"^-?[\d.]+$", quoted[1:-1]):
            return False
        position = match.end()
    return True


def checked_tree(tree: Any) -> Any:
    """The description of nested inputs or outputs: known containers, and contexts that import nothing.

    What transformers models answer with becomes a plain dict, so that opening it needs no transformers.
    """
    if isinstance(tree, list):
        return [checked_tree(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    kind, context = tree.get("type"), tree.get("context")
    require(kind is None or (isinstance(kind, str) and TREES.match(kind)), kind)
    require("__enum__" not in json.dumps(context) and "__enum__" not in tree, context)
    plain_kind = "builtins.dict" if kind and kind.startswith("transformers.") else kind
    return {"type": plain_kind, "context": context, "children_spec": checked_tree(tree.get("children_spec") or [])}


def plain(text: Any) -> str:
    """A comment without line breaks."""
    return str(text).replace("\n", " ").replace("\r", " ")


def require(condition: Any, what: Any) -> None:
    """Raise RefusedFile naming what is not known to be harmless."""
    if not condition:
        raise RefusedFile(f"The exported program contains {str(what)[:80]!r}, which could run code.", INSTEAD)


def parsed(data: bytes, name: str) -> Any:
    """Parse a JSON member; raises BadInput when it is damaged."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The exported program is damaged at {name!r}.", INSTEAD) from error
