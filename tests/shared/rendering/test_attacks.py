"""Invariant: no template crashes, hangs or fills the memory of the process that renders it."""

import time
import tracemalloc

import pytest

from shared.rendering import RenderingError, compile_template

BIG = {"s": "a" * 200_000, "l": list(range(40_000)), "u": "\U0001f600" * 60_000}

GROWTH = {
    "repeated": "{{ 'a' * 10**8 }}",
    "power": "{{ 9999999 ** 99999 }}",
    "percent width": "{{ '%999999999d' % 5 }}",
    "percent star": "{{ '%*d' % (999999999, 5) }}",
    "percent test": "{{ '%999999999d' is odd }}",
    "percent mapping": "{{ ('%(a)s' * 5000) % {'a': s} }}",
    "format filter": "{{ '%999999999d'|format(5) }}",
    "format width": "{{ '{:>999999999}'.format(5) }}",
    "format zeros": "{{ '{:>0000000001000000000}'.format(5) }}",
    "format nested": "{{ '{:{}}'.format(5, 999999999) }}",
    "center": "{{ 'a'.center(999999999) }}",
    "center filter": "{{ 'a'|center(999999999) }}",
    "doubled text": "{% set n = namespace(s='aaaaaaaa') %}"
    "{% for i in range(100) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
    "doubled list": "{% set n = namespace(s=[1]) %}"
    "{% for i in range(100) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
    "tower": "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "tower in JSON": "{% set a = ['x'] %}" + "{% set a = [a, a] %}" * 40 + "{{ a|tojson }}",
    "captured": "{% set x %}{% for i in range(100000) %}{{ s }}{% endfor %}{% endset %}{{ x }}",
    "captured literal": "{% set x %}{% for i in range(100000) %}"
    + "y" * 60_000
    + "{% endfor %}{% endset %}{{ x }}",
    "joined": "{{ l|join(s) }}",
    "joined text": "{{ s|join(s) }}",
    "join method": "{{ s.join(['a'] * 1000) }}",
    "replaced": "{{ s|replace('a', s) }}",
    "replaced by name": "{{ s|replace(old='a', new=s) }}",
    "replaced nothing": "{{ s|replace('', s) }}",
    "indented": "{{ ('\n' * 100000)|indent(s) }}",
    "batch": "{{ [1]|batch(999999999, 'x') }}",
    "slices": "{{ [1]|slice(99999999) }}",
    "rounded": "{{ 1|round(-999999999) }}",
    "JSON indent": "{{ l|tojson(99999999) }}",
    "summed lists": "{{ l|batch(1)|sum(start=[]) }}",
    "hoarded": "{% set n = namespace(l=[]) %}"
    "{% for i in range(100000) %}{% set n.l = n.l + [s ~ i] %}{% endfor %}{{ n.l }}",
    "bits": "{{ '{:b}'.format(2 ** 40000) }}",
}

WORK = {
    "loops": "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "filtered loops": "{% for a in range(100000) %}{% for b in range(100000) if false %}"
    "{% endfor %}{% endfor %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "branching": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
    "{{ m(60) }}",
    "callers": "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}"
    + "{% call m() %}" * 15
    + "x"
    + "{% endcall %}" * 15,
    "searches": "{% for x in l %}{{ x in l }}{% endfor %}",
    "search test": "{{ l|select('in', l)|list|length }}",
    "comparisons": "{% for x in l %}{% if s < s %}{% endif %}{% endfor %}",
    "stripping": "{{ s.strip(s) }}",
    "trimming": "{{ s|trim(s) }}",
    "hashing": "{% set t = (1,) %}" + "{% set t = t + t %}" * 12 + "{{ {" + "t: 1," * 1500 + "} }}",
    "wrapping": "{{ s|wordwrap(1) }}",
    "comments": "{{ ('<!--x' * 30000)|striptags }}",
    "copies": "{% for i in l %}{{ s[1:]|length }}{% endfor %}",
    "upper": "{% for i in l %}{{ s|upper|length }}{% endfor %}",
    "own changes": "{% for i in l %}{{ loop.changed(l) }}{% endfor %}",
    "attributes": "{{ l|map(attribute='" + "a." * 5000 + "')|list }}",
    "many names": "".join(f"{{% if b %}}{{% set a{i} = 1 %}}{{% endif %}}" for i in range(1_500)),
}

PRYING = {
    "class": "{{ ''.__class__.__mro__ }}",
    "item": "{{ ''['__class__'] }}",
    "format": "{{ '{0.__class__}'.format('') }}",
    "globals": "{{ range.__globals__ }}",
    "self": "{{ self._TemplateReference__context }}",
    "macro": "{% macro m() %}{% endmacro %}{{ m._func }}",
    "cycler": "{{ cycler.__init__.__globals__.os }}",
    "namespace": "{{ namespace()._Namespace__attrs }}",
    "map": "{{ ['']|map(attribute='__class__')|list }}",
    "loop": "{% for i in [1] %}{{ loop._iterable }}{% endfor %}",
    "shown": "{{ range }}",
    "lipsum": "{{ lipsum(99999) }}",
    "bytes": "{{ (1).to_bytes(99999999, 'big') }}",
    "list changed": "{{ l.append(1) }}",
}


@pytest.mark.parametrize("field", ["body_text", "body_html"])
@pytest.mark.parametrize("name", [*GROWTH, *WORK, *PRYING])
def test_it_is_refused(name, field):
    text = {**GROWTH, **WORK, **PRYING}[name]
    with pytest.raises(RenderingError):
        compile_template({field: text}).render(BIG)


@pytest.mark.parametrize("name", [*GROWTH, *WORK])
def test_it_costs_little_time(name):
    began = time.thread_time()
    with pytest.raises(RenderingError):
        compile_template({"body_text": {**GROWTH, **WORK}[name]}).render(BIG)
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize("name", GROWTH)
def test_it_costs_little_memory(name):
    tracemalloc.start()
    try:
        with pytest.raises(RenderingError):
            compile_template({"body_text": GROWTH[name]}).render(BIG)
        assert tracemalloc.get_traced_memory()[1] < 100 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "text", ["{{ ('a' ~ '(' * 7000 ~ ')' * 7000)|urlize }}", "{{ ('a@'*8000)|urlize }}"]
)
def test_slow_filters_stay_quick_on_what_they_take(text):
    began = time.thread_time()
    assert compile_template({"body_text": text}).render({})["body_text"]
    assert time.thread_time() - began < 1.0
