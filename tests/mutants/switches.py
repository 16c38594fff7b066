"""Writes mutants into the text of a Rust file, each behind a switch."""

import collections
import re

SWITCH = '''
pub(crate) mod mutants_ {
    use std::collections::HashSet;
    use std::io::Write as _;
    static ACTIVE: std::sync::LazyLock<u32> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0));
    static REACH: std::sync::LazyLock<Option<std::sync::Mutex<std::fs::File>>> = std::sync::LazyLock::new(|| {
        let path = std::env::var_os("MUTANT_REACH")?;
        Some(std::sync::Mutex::new(std::fs::File::options().append(true).create(true).open(path).unwrap()))
    });
    std::thread_local!(static SEEN: std::cell::RefCell<HashSet<u32>> = std::cell::RefCell::default());
    pub(crate) fn on(n: u32) -> bool {
        if let Some(file) = &*REACH {
            let is_new = SEEN.try_with(|seen| seen.try_borrow_mut().is_ok_and(|mut seen| seen.insert(n)));
            if is_new.unwrap_or(true) {
                let thread = std::thread::current();
                let line = format!("{n}\\t{}\\n", thread.name().unwrap_or("?"));
                let _ = file.lock().unwrap_or_else(|e| e.into_inner()).write_all(line.as_bytes());
            }
        }
        n == *ACTIVE
    }
}
'''
# A mutant may compute what overflows in each run. On the first line, so that no line moves.
ALLOW = '#![allow(arithmetic_overflow, unconditional_panic)] '
ON = 'crate::mutants_::on(%d)'
COMPARE = {'==', '!=', '<', '<=', '>', '>='}


# Marks in the text, so that an error of the compiler leads back to mutants: a match with arms that may be deleted, the
# construct of some mutants, what replaces the original, and the end of each.
MATCH, WHOLE, NEW, END = '\ue000', '\ue001', '\ue002', '\ue003'


class Mutant:
    def __init__(self, number, entry):
        self.number, self.name, self.file, self.genre = number, entry['name'], entry['file'], entry['genre']
        self.new = entry['replacement']
        span = entry['span']
        self.start = (span['start']['line'], span['start']['column'])
        self.end = (span['end']['line'], span['end']['column'])
        self.on = ON % number


class Construct:
    """A range of a file that is written anew, with the mutants in it. `write` gets the function that renders a range."""

    def __init__(self, start, end, rank, write, mutants):
        self.start, self.end, self.rank, self.write, self.mutants = start, end, rank, write, mutants


def numbers(mutants):
    return ','.join(str(mutant.number) for mutant in mutants) + ';'


def new(text, mutant):
    """Marks what replaces the original."""
    return NEW + numbers([mutant]) + text + END


def choose(mutants, of, original):
    arms = ''.join(f'if {mutant.on} {{ {new(of(mutant), mutant)} }} else ' for mutant in mutants)
    return f'{arms}{{ {original} }}'


def binary(op, left, right, mutants):
    def write(render):
        l, r = render(*left), render(*right)
        if op in ('&&', '||'):
            other = {'&&': '||', '||': '&&'}[op]
            rest = [mutant for mutant in mutants if mutant.new != other]
            assert not rest, rest
            test = '!=' if op == '&&' else '=='
            return f'(match ({l}) {{ l_ => if l_ {test} {mutants[0].on} {{ {r} }} else {{ l_ }} }})'
        if op in COMPARE:
            body = choose(mutants, lambda mutant: f'l_ {mutant.new} r_', f'l_ {op} r_')
            return f'(match (&({l}), &({r})) {{ (l_, r_) => {body} }})'
        if op.endswith('='):
            return f'(match {r} {{ r_ => {choose(mutants, lambda mutant: f"{l} {mutant.new} r_", f"{l} {op} r_")} }})'
        return f'(match ({l}, {r}) {{ (l_, r_) => {choose(mutants, lambda m: f"l_ {m.new} r_", f"l_ {op} r_")} }})'
    return write


def unary(op, of, mutants):
    return lambda render: f'(match {render(*of)} {{ x_ => {choose(mutants, lambda m: "x_", f"{op}x_")} }})'


def body(mutants):
    return lambda render: ''.join(f'if {m.on} {{ return {new(m.new or "()", m)}; }} ' for m in mutants)


def guard(of, mutants):
    def write(render):
        text = f'({render(*of)})' if of else 'true'
        for mutant in mutants:
            if mutant.genre == 'MatchArm' or mutant.new == 'false':
                text = f'(!{mutant.on} && {text})'
            else:
                text = f'({mutant.on} || {text})'
        return text if of else f'if {text} '
    return write


def field(name, short, value, rest, mutants):
    def write(render):
        of = name if short else render(*value)
        return f'{name}: ' + choose(mutants, lambda m: f'({render(*rest)}).{name}', of)
    return write


def constructs(text, nodes, mutants):
    """Finds the construct of each mutant of a file."""
    starts = [0]
    for line in text.split('\n'):
        starts.append(starts[-1] + len(line) + 1)
    place = lambda at: starts[at[0] - 1] + at[1] - 1
    span = lambda range_: (place(range_[0]), place(range_[1]))
    kinds = collections.defaultdict(list)
    for node in nodes:
        kinds[node['kind']].append(node)
    groups = collections.defaultdict(list)
    for mutant in mutants:
        start = list(mutant.start)
        match mutant.genre:
            case 'BinaryOperator' | 'UnaryOperator' | 'StructField' | 'MatchArm' as genre:
                kind = {'BinaryOperator': 'binary', 'UnaryOperator': 'unary', 'StructField': 'field', 'MatchArm': 'arm'}
                node = next((n for n in kinds[kind[genre]] if n['at'][0] == start), None)
            case 'MatchArmGuard':
                node = next((n for n in kinds['arm'] if n.get('guard', [0])[0] == start), None)
            case 'FnValue':
                around = [n for n in kinds['fn'] if n['body'][0] < start and n['body'][1] >= list(mutant.end)]
                node = max(around, key=lambda n: n['body'][0], default=None)
            case _:
                node = None
        if node is None:
            yield mutant
        else:
            groups[id(node)].append((node, mutant))
    arms = [(node['at'], mutant) for group in groups.values() for node, mutant in group if mutant.genre == 'MatchArm']
    for node in kinds['match']:
        start, stop = node['all']
        if of := [mutant for at, mutant in arms if start <= at[0] and at[1] <= stop]:
            yield Construct(place(start), place(stop), -1, lambda render, n=node: render(*span(n['all'])), of)
    for group in groups.values():
        node, of = group[0][0], [mutant for _, mutant in group]
        match node['kind']:
            case 'binary':
                op = text[slice(*span(node['at']))]
                write = binary(op, span(node['left']), span(node['right']), of)
                yield Construct(*span(node['all']), 2, write, of)
            case 'unary':
                op = text[slice(*span(node['at']))]
                yield Construct(*span(node['all']), 2, unary(op, span(node['of']), of), of)
            case 'fn':
                at = place(node['body'][0]) + 1
                yield Construct(at, at, 0, body(of), of)
            case 'arm' if 'guard' in node:
                yield Construct(*span(node['guard']), 1, guard(span(node['guard']), of), of)
            case 'arm':
                at = place(node['arrow'][0])
                yield Construct(at, at, 0, guard(None, of), of)
            case 'field':
                write = field(node['name'], node['short'], span(node['value']), span(node['rest']), of)
                yield Construct(*span(node['at']), 0, write, of)


def instrument(text, found):
    """Returns the text with all mutants, and for each its regions, as bytes: what was put in, and the construct."""
    found = sorted(found, key=lambda c: (c.start, -c.end, c.rank))

    def render(start, end, first=0):
        out, at, index = [], start, first
        while index < len(found):
            it = found[index]
            if it.start < at or it.end > end or it.start > end:
                index += 1
                continue
            out.append(text[at:it.start])
            mark = MATCH if it.rank < 0 else WHOLE
            out.append(mark + numbers(it.mutants) + it.write(lambda s, e, i=index + 1: render(s, e, i)) + END)
            at = it.end
            index += 1
        return ''.join(out) + text[at:end]

    marked = render(0, len(text))
    regions, open_, out, at = [], [], [], 0
    for piece in re.split(f'([{MATCH}{WHOLE}{NEW}][0-9,]+;|{END})', marked):
        if piece[:1] in (MATCH, WHOLE, NEW):
            open_.append((at, piece[0], [int(n) for n in piece[1:-1].split(',')]))
        elif piece == END:
            start, mark, of = open_.pop()
            regions.append((start, at, mark, of))
        elif piece:
            out.append(piece)
            at += len(piece.encode())
    return ''.join(out), regions
