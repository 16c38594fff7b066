#!/usr/bin/env python3
"""Runs the mutants of cargo-mutants from one build: each is compiled in, behind a switch that reads `MUTANT`.

`build` copies the workspace, writes every mutant of the given files into the copy, and drops what does not compile
("unviable", if the compiler rejects what was put in; "plain", if it rejects the switch). It runs each test binary once,
to learn which test reaches which switch. `run` runs, for each mutant, the tests that reach it, until one fails twice.
A mutant that no test reaches has survived. `report` counts. Results are kept, so that `run` goes on where it ended.

The places of operands are not in the list of cargo-mutants: the program of `src/main.rs` prints them. `tests/README.md` says
how to use all this.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import threading
import time

from switches import ALLOW, MATCH, NEW, SWITCH, WHOLE, Mutant, constructs, instrument

PLAIN_CODES = {'E0015', 'E0658'}


class Work:
    def __init__(self, args):
        self.args = args
        self.dir = pathlib.Path(args.work).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.copy = self.dir / 'tree'
        self.env = dict(os.environ, CARGO_TARGET_DIR=args.target)
        for variable in ('MUTANT', 'MUTANT_REACH'):
            self.env.pop(variable, None)

    def file(self, name):
        return self.dir / name

    def cargo(self, command, *rest):
        """Runs cargo in the copy, and returns its messages."""
        options = ['--message-format', 'json', *(f'--config={c}' for c in self.args.config)]
        done = subprocess.run(['cargo', *command, *options, *rest], cwd=self.copy, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
        return done, messages

    # --- build

    def build(self):
        source = pathlib.Path(self.args.tree).resolve()
        files = sorted({str(path.relative_to(source)) for glob in self.args.files for path in source.glob(glob)})
        features = ['--all-features'] if self.args.all_features else []
        listed = subprocess.run(
            ['cargo', 'mutants', '--list', '--json', '-p', self.args.package, *features,
             *(f'-f={file}' for file in files)],
            cwd=source, text=True, stdout=subprocess.PIPE, check=True, env=self.env)
        mutants = [Mutant(n, e) for n, e in enumerate(json.loads(listed.stdout), 1)]
        files = sorted({mutant.file for mutant in mutants})
        spans = subprocess.run([self.args.spans, *files], cwd=source, text=True, stdout=subprocess.PIPE, check=True)
        nodes = json.loads(spans.stdout)
        root = f'{self.args.package}/src/lib.rs'
        self.synchronize(source, {*files, root})
        self.bodies = {mutant.number for mutant in mutants if mutant.genre == 'FnValue'}
        fate = {}
        while True:
            regions = {}
            for file in {*files, root}:
                text = (source / file).read_text()
                if file == root:
                    text = ALLOW + text + SWITCH
                left = [m for m in mutants if m.file == file and m.number not in fate]
                found = []
                for it in constructs(text, nodes.get(file, []), left):
                    if isinstance(it, Mutant):
                        fate[it.number] = 'plain'
                    else:
                        found.append(it)
                written, regions[file] = instrument(text, found)
                path = self.copy / file
                if path.read_text() != written:
                    path.write_text(written)
            # The library, and its tests: a module of tests under more than `cfg(test)` has mutants, too.
            messages = []
            for profile in 'dev', 'test':
                done, told = self.cargo(['check', '-p', self.args.package, *features, '--lib', '--profile', profile])
                messages += told
                if done.returncode:
                    break
            errors = [m['message'] for m in messages if m['reason'] == 'compiler-message'
                      and m['message']['level'] == 'error' and m['message']['spans']]
            if not errors:
                break
            dropped = {}
            for error in errors:
                hits = self.blame(error, regions)
                for number, verdict in hits:
                    dropped.setdefault(number, verdict)
                if not hits:
                    print(error['rendered'])
                elif self.args.verbose:
                    print(error['message'], [mutants[n - 1].name for n, _ in hits], hits[0][1])
            print(f'{len(errors)} errors, {len(dropped)} mutants dropped', flush=True)
            if not dropped.keys() - fate.keys():
                raise SystemExit('errors that belong to no mutant')
            fate.update({n: v for n, v in dropped.items() if n not in fate})
        if done.returncode:
            raise SystemExit(done.stderr)
        names = {str(m.number): [m.name, m.file] for m in mutants}
        self.file('mutants.json').write_text(json.dumps({'names': names, 'fate': fate}, indent=1))
        print(f'{len(mutants)} mutants, {collections.Counter(fate.values())}')
        self.tests()

    def synchronize(self, source, mutated):
        """Copies what has changed, so that cargo builds no more than that."""
        listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=source, text=True, check=True,
                                stdout=subprocess.PIPE).stdout.splitlines()
        for name in [*listed, 'Cargo.lock']:
            old, copy = source / name, self.copy / name
            if name in mutated and copy.exists() or not old.is_file():
                continue
            if not copy.exists() or old.read_bytes() != copy.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(old, copy)

    def blame(self, error, regions):
        """Returns the mutants that an error belongs to, with their fate: those of the smallest range around it."""
        code = (error.get('code') or {}).get('code')
        primary = [span for span in error['spans'] if span['is_primary']]
        for spans in (primary, error['spans']):
            around = [(end - start, mark, of) for span in spans
                      for start, end, mark, of in regions.get(span['file_name'], ())
                      if start <= span['byte_start'] and span['byte_end'] <= end
                      and (mark == MATCH) == (code == 'E0004')]
            if around:
                _, mark, of = min(around)
                return [(n, 'unviable' if mark == NEW and code not in PLAIN_CODES else 'plain') for n in of]
        # The type of an `impl Trait` is that of the first return: the mutants of the body whose end has another.
        bodies = [(end, of) for span in primary for _, end, mark, of in regions.get(span['file_name'], ())
                  if mark == WHOLE and end <= span['byte_start'] and set(of) <= self.bodies]
        return [(n, 'plain') for n in max(bodies)[1]] if bodies else []

    def tests(self):
        """Builds test binaries, and learns what each reaches."""
        path = self.file('binaries.json')
        binaries = {b['path']: b for b in json.loads(path.read_text())} if path.exists() else {}
        features = ['--all-features'] if self.args.all_features else []
        for test in self.args.test:
            name, _, options = test.partition(':')
            done, messages = self.cargo(['test', '--no-run', *features, *options.split()])
            # A package has programs as well, which its tests start.
            built = [m for m in messages if m['reason'] == 'compiler-artifact' and m.get('executable')
                     and m['profile']['test']]
            if done.returncode or not built:
                raise SystemExit(done.stderr)
            for artifact in built:
                folder = str(pathlib.Path(artifact['manifest_path']).parent)
                kept = str(self.file(f'{name}.{artifact["target"]["name"]}.bin'))
                shutil.copy2(artifact['executable'], kept)
                binaries[kept] = {'name': name, 'path': kept, 'folder': folder}
                print(f'built {name}', flush=True)
                self.reach(binaries[kept])
                path.write_text(json.dumps(list(binaries.values()), indent=1))

    def reach(self, binary_):
        """Runs a binary without a mutant, and notes what each of its tests reaches and about how long it takes."""
        path = self.file(f'{binary_["name"]}.reach')
        path.unlink(missing_ok=True)
        tests, last, took = {}, time.monotonic(), time.monotonic()
        process = self.start(binary_, ['--test-threads', '2'], {'MUTANT_REACH': str(path)})
        for line in process.stdout:
            if result := re.match(r'test (\S+)(?: - should panic)? \.\.\. (\w+)', line):
                if result[2] == 'FAILED':
                    print(f'{binary_["name"]}: {line.strip()} without a mutant')
                elif result[2] == 'ok':
                    tests[result[1]] = round(time.monotonic() - last, 2)
                last = time.monotonic()
        process.wait()
        reached = collections.defaultdict(lambda: {'tests': set(), 'more': False})
        for line in path.read_text().splitlines() if path.exists() else []:
            number, _, thread = line.partition('\t')
            if thread in tests:
                reached[number]['tests'].add(thread)
            elif thread != 'main':
                reached[number]['more'] = True
        out = {n: {'tests': sorted(r['tests']), 'more': r['more']} for n, r in reached.items()}
        self.file(f'{binary_["name"]}.reach.json').write_text(json.dumps({'tests': tests, 'reached': out}))
        path.unlink(missing_ok=True)
        print(f'{binary_["name"]}: {len(tests)} tests in {time.monotonic() - took:.0f} s reach {len(out)} mutants',
              flush=True)

    # --- run

    def start(self, binary_, arguments, variables):
        env = dict(self.env, CARGO_MANIFEST_DIR=binary_['folder'], RUST_BACKTRACE='0', **variables)
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        return subprocess.Popen([binary_['path'], *arguments], cwd=binary_['folder'], env=env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
                                preexec_fn=limit, errors='replace')

    def fails(self, binary_, tests, number, seconds):
        """Returns the test that fails with the mutant, or `timeout`, or `crash`."""
        chosen = ['--exact', *tests]
        process = self.start(binary_, [*chosen, '--test-threads', '2'], {'MUTANT': str(number)})
        over = threading.Event()

        def kill():
            over.set()
            end(process)
        timer = threading.Timer(seconds, kill)
        timer.start()
        try:
            for line in process.stdout:
                if result := re.match(r'test (\S+)(?: - should panic)? \.\.\. FAILED', line):
                    return result[1]
            process.wait()
            if over.is_set():
                return 'timeout'
            return 'crash' if process.returncode else None
        finally:
            timer.cancel()
            end(process)
            process.wait()
            process.stdout.close()

    def judge(self, number):
        """Runs the tests that reach a mutant: the fast ones of each binary, then the slow ones, then whole binaries."""
        rounds = [[], [], []]
        for binary_, known in self.known:
            reached = known['reached'].get(str(number))
            if not reached:
                continue
            times = known['tests']
            tests = [test for test in reached['tests'] if times[test] <= self.args.longest]
            # A test that reaches little is about that.
            tests = sorted(tests, key=lambda test: (times[test] > 1, known['width'][test]))[:self.args.most]
            fast, slow, sum_ = [], [], 0.0
            for test in tests:
                sum_ += times[test]
                (fast if sum_ <= 2 else slow).append(test)
            for index, part in ((0, fast), (1, slow)):
                if part:
                    rounds[index].append((binary_, part, sum(times[test] for test in part)))
            if reached['more']:
                done = [test for test in times if test in reached['tests'] or times[test] > self.args.longest]
                left = sum(seconds for test, seconds in times.items() if test not in done)
                rounds[2].append((binary_, [part for test in done for part in ('--skip', test)], left))
        if not any(rounds):
            return 'survived', 'not reached'
        for binary_, tests, seconds in (step for round_ in rounds for step in round_):
            limit = max(self.args.timeout, 10 * seconds)
            failed = self.fails(binary_, tests, number, limit)
            if failed is None:
                continue
            if failed == 'timeout':
                return 'timeout', f'{binary_["name"]}: {" ".join(tests[:3])}'
            again = self.args.once or self.fails(binary_, tests if failed == 'crash' else [failed], number, limit)
            if again:
                return 'killed', f'{binary_["name"]}: {failed}'
        return 'survived', 'reached'

    def run(self):
        data = json.loads(self.file('mutants.json').read_text())
        binaries = json.loads(self.file('binaries.json').read_text())
        self.known = [(b, json.loads(self.file(f'{b["name"]}.reach.json').read_text())) for b in binaries
                      if not self.args.use or b['name'] in self.args.use]
        for _, known in self.known:
            reaches = (test for reached in known['reached'].values() for test in reached['tests'])
            known['width'] = collections.Counter(reaches)
        results = self.file('results.tsv')
        lines = [line.split('\t') for line in results.read_text().splitlines()] if results.exists() else []
        last = {name: verdict for verdict, name, _ in lines}
        done = {name for name, verdict in last.items() if verdict != 'survived' or not self.args.again}
        todo = [(int(n), name) for n, (name, _) in data['names'].items()
                if n not in data['fate'] and name not in done and re.search(self.args.only, name)]
        lock, begun, count = threading.Lock(), time.monotonic(), collections.Counter()

        def one(item):
            number, name = item
            verdict, why = self.judge(number)
            with lock, results.open('a') as out:
                out.write(f'{verdict}\t{name}\t{why}\n')
                count[verdict] += 1
                if verdict == 'survived':
                    print(f'SURVIVED {name} ({why})', flush=True)
                if sum(count.values()) % 50 == 0:
                    print(f'{dict(count)} of {len(todo)} in {time.monotonic() - begun:.0f} s', flush=True)
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            list(pool.map(one, todo))
        print(f'{dict(count)} in {time.monotonic() - begun:.0f} s')

    def report(self):
        data = json.loads(self.file('mutants.json').read_text())
        fate = {data['names'][n][0]: verdict for n, verdict in data['fate'].items()}
        for line in self.file('results.tsv').read_text().splitlines():
            verdict, name, _ = line.split('\t')
            fate[name] = verdict
        table = collections.defaultdict(collections.Counter)
        for name, file in data['names'].values():
            table[file][fate.get(name, 'not run')] += 1
        columns = ['unviable', 'plain', 'killed', 'timeout', 'survived', 'not run']
        print('file\ttotal\t' + '\t'.join(columns))
        for file, counts in sorted(table.items()):
            print(file, sum(counts.values()), *(counts[column] for column in columns), sep='\t')
        for name, verdict in sorted(fate.items()):
            if verdict in ('survived', 'plain'):
                print(f'{verdict}\t{name}')


def end(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=['build', 'tests', 'run', 'report'])
    parser.add_argument('--work', required=True, help='a folder for the copy and the results')
    parser.add_argument('--target', help='the target directory', default='target')
    parser.add_argument('--tree', default='.', help='the workspace')
    parser.add_argument('--package', default='taskvisor', help='the package, whose folder has its name')
    parser.add_argument('--all-features', action='store_true')
    parser.add_argument('--files', nargs='+', default=[], help='globs of the files to mutate')
    parser.add_argument('--test', nargs='+', default=[], help='NAME:OPTIONS of `cargo test` for each binary')
    parser.add_argument('--config', nargs='*', default=[], help='`--config` of cargo')
    places = pathlib.Path(__file__).parent / 'target/release/mutants'
    parser.add_argument('--spans', default=str(places), help='the program that prints the places of expressions')
    parser.add_argument('--timeout', type=float, default=30, help='seconds, at least, for a run of tests')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--longest', type=float, default=float('inf'), help='run no test that takes more seconds')
    parser.add_argument('--most', type=int, help='run no more tests of each binary for a mutant')
    parser.add_argument('--use', nargs='*', help='the names of the binaries to run')
    parser.add_argument('--again', action='store_true', help='run those again that have survived')
    parser.add_argument('--once', action='store_true', help='for tests without chance: run none again that has failed')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--only', default='', help='a regular expression for the names of mutants')
    args = parser.parse_args()
    getattr(Work(args), args.command)()


if __name__ == '__main__':
    main()
