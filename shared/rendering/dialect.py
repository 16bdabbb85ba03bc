"""The dialect: which of Jinja's syntax a template may use, and the guards put around it."""

from jinja2 import nodes
from jinja2.exceptions import TemplateAssertionError
from jinja2.visitor import NodeTransformer

from shared.rendering import limits
from shared.rendering.filters import FILTERS
from shared.rendering.guards import COMPARED, CUT, EACH, JOINED, LITERAL, MAPPING, SPEND
from shared.rendering.predicates import TESTS

_REFUSED: dict[type[nodes.Node], str] = {
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.ScopedEvalContextModifier: "autoescape",
}


def check(template: nodes.Template) -> None:
    """Raise `TemplateAssertionError`, with its line, for syntax that is not of the dialect."""
    count = depth = 0
    waiting: list[nodes.Node] = [template]
    while waiting:
        depth += 1
        count += len(waiting)
        line = waiting[0].lineno
        if count > limits.SOURCE_NODES:
            raise TemplateAssertionError("the template is too long: use fewer expressions", line)
        if depth > limits.SOURCE_DEPTH:
            raise TemplateAssertionError("it is nested too deeply", line)
        for node in waiting:
            _check_node(node)
        waiting = [child for node in waiting for child in node.iter_child_nodes()]


def _check_node(node: nodes.Node) -> None:
    refused = _REFUSED.get(type(node))
    if refused is not None:
        raise TemplateAssertionError(
            f"'{refused}' is not available: a template stands alone", node.lineno
        )
    if isinstance(node, nodes.For) and node.recursive:
        raise TemplateAssertionError("'recursive' is not available: use a macro", node.lineno)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise TemplateAssertionError(f"there is no filter named {node.name!r}", node.lineno)
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateAssertionError(f"there is no test named {node.name!r}", node.lineno)


def guard(template: nodes.Template) -> nodes.Template:
    """Put the guards around everything whose work or result can grow."""
    guarded = _Guard().visit(template)
    if not isinstance(guarded, nodes.Template):
        raise TypeError("A guarded template is still a template.")
    return guarded


def _weight(*bodies: nodes.Node) -> int:
    """What one pass through these nodes costs, without what they call."""
    count, text, waiting = 0, 0, list(bodies)
    while waiting:
        node = waiting.pop()
        count += 1
        if isinstance(node, nodes.TemplateData):
            text += len(node.data)
        waiting.extend(node.iter_child_nodes())
    return limits.STEP + 2 * count + text // 4


def _call(name: str, value: nodes.Node, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(arguments), [], None, None, lineno=value.lineno)


def _payment(weight: int) -> nodes.ExprStmt:
    return nodes.ExprStmt(_call(SPEND, nodes.Const(weight)))


class _Guard(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - the visitor's names
        tested = [node.test] if node.test is not None else []
        weight = _weight(*node.body, *tested)
        self.generic_visit(node)
        node.iter = _call(EACH, node.iter, nodes.Const(weight))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:  # noqa: N802
        weight = _weight(*node.body)
        self.generic_visit(node)
        node.body.insert(0, _payment(weight))
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:  # noqa: N802
        weight = _weight(*node.body)
        self.generic_visit(node)
        node.body.insert(0, _payment(weight))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _call(JOINED, nodes.Tuple(node.nodes, "load", lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = self._operand(node.expr)
        for operand in node.ops:
            operand.expr = self._operand(operand.expr)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return _call(LITERAL, node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _call(LITERAL, node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        pairs: list[nodes.Expr] = [
            nodes.Tuple([pair.key, pair.value], "load", lineno=pair.lineno) for pair in node.items
        ]
        return _call(MAPPING, nodes.List(pairs, lineno=node.lineno))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        cut = (node.arg.start, node.arg.stop, node.arg.step)
        return _call(CUT, node.node, *(part or nodes.Const(None) for part in cut))

    @staticmethod
    def _operand(node: nodes.Expr) -> nodes.Expr:
        return node if isinstance(node, nodes.Const) else _call(COMPARED, node)
