"""Running the rules: environments in, findings out, each once with the environments it holds for."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackwright.checks.environments import Environment
from stackwright.checks.files import Files, Host
from stackwright.checks.finding import Finding, Hit, Place, Severity
from stackwright.checks.raw import Memory
from stackwright.checks.rule import Rule, rules
from stackwright.checks.settings import Settings
from stackwright.checks.subject import Facts, Subject
from stackwright.checks.suppress import read_comments, suppress
from stackwright.model.consistency import check_consistency
from stackwright.model.errors import Problem
from stackwright.model.load import Model, Request, examine
from stackwright.model.marks import Map
from stackwright.model.sources import Reporter, Sources
from stackwright.model.stages import Settings as Stages


@dataclass(slots=True)
class Result:
    """What a check found. ``files`` are the texts of the Compose files that were read, by path."""

    findings: list[Finding]
    environments: list[Environment]
    files: dict[str, bytes] = field(default_factory=dict)
    subjects: list[Subject] = field(default_factory=list)

    def count(self, severity: Severity) -> int:
        """How many findings of one severity."""
        return sum(1 for finding in self.findings if finding.severity is severity)

    def worst(self) -> Severity | None:
        """The gravest severity found."""
        return max((finding.severity for finding in self.findings), default=None)


@dataclass(slots=True)
class Options:
    """What ``check`` is told beside the environments. ``variables`` is the process environment."""

    settings: Settings = field(default_factory=Settings)
    host: Host = field(default_factory=Host)
    files: Files = field(default_factory=Files)
    memory: Memory = field(default_factory=Memory)
    variables: Mapping[str, str] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    project_name: str | None = None
    project_directory: str | None = None
    fetch: bool = True
    """Whether files in repositories and registries are fetched; without, nothing is said of what needs them."""


def check(environments: Sequence[Environment], options: Options) -> Result:
    """Check every environment; mistakes of the model are findings, too."""
    collecting = gc.isenabled()
    gc.disable()  # a check only allocates; collecting meanwhile costs a third of the time
    try:
        return _check(environments, options)
    finally:
        if collecting:
            gc.enable()


def _check(environments: Sequence[Environment], options: Options) -> Result:
    findings: list[Finding] = []
    subjects: list[Subject] = []
    texts: dict[str, bytes] = {}
    for environment in environments:
        subject, found, read = look(environment, options)
        findings += found
        texts.update(read)
        if subject is not None:
            subjects.append(subject)
    findings += across(subjects, options)
    merged = merge(findings)
    every = [environment.name for environment in environments]
    if len(every) == 1:
        merged = [replace(one, environments=()) for one in merged]
    known = rules()
    suppressions = [replace(one, used=False) for one in options.settings.ignore]
    for path, text in texts.items():
        suppressions += read_comments(path, text)
    codes = {finding.code for finding in merged}
    return Result(
        sorted(suppress(merged, suppressions, known, codes), key=_order), list(environments), texts, subjects
    )


def look(
    environment: Environment, options: Options
) -> tuple[Subject | None, list[Finding], dict[str, bytes]]:
    """One environment's subject, its findings, and the texts that were read."""
    subject, report, own = read(environment, options)
    findings = [_from_problem(problem, environment.name) for problem in [*report.problems, *own]]
    if subject is not None:
        findings += judge(subject, options)
    texts = {
        name: text
        for name, text in zip(report.sources.names[1:], report.sources.texts[1:], strict=True)
        if name != "-"
    }
    return subject, findings, texts


def read(environment: Environment, options: Options) -> tuple[Subject | None, Reporter, list[Problem]]:
    """Read one environment; beside what the load reports, the mistakes in services of inactive profiles."""
    request = Request(
        environment.files or None,
        project_directory=options.project_directory or environment.folder or None,
        project_name=options.project_name,
        env_files=environment.env_files or None,
        profiles=environment.profiles or None,
        environment=options.variables,
        all_resources=True,
        unsaved=options.files.unsaved,
        settings=Stages(fetch=options.fetch),
    )
    model, report = examine(request)
    if model is None:
        return None, report, []
    facts = Facts(options.files, options.host, options.settings.budget, options.memory)
    subject = Subject(model, report.sources, environment.name, environment.kind, facts)
    return subject, report, _in_profiles(model, report)


_ALONE = frozenset(
    {
        "undefined-service",
        "undefined-network",
        "undefined-volume",
        "undefined-secret",
        "undefined-config",
        "no-image",
    }
)
"""What is wrong whatever else runs; clashes between profiles may be alternatives."""


def _in_profiles(model: Model, report: Reporter) -> list[Problem]:
    """References of services in inactive profiles that nothing defines."""
    if not model.disabled or model.raw.broken:
        return []
    services = Map(model.data.mark)
    for part in (model.data.get("services") or Map(), model.disabled):
        for name, service in part.items():
            services.place(name, service, part.marks.get(name, (0, 0)))
    second = Reporter(report.sources)
    check_consistency(model.data, services, Map(), second)
    seen = {(problem.file, problem.line, problem.column) for problem in report.problems}
    return [
        problem
        for problem in second.problems
        if problem.code in _ALONE and (problem.file, problem.line, problem.column) not in seen
    ]


def judge(subject: Subject, options: Options) -> list[Finding]:
    """What the rules say about one environment."""
    findings: list[Finding] = []
    for rule in rules().values():
        severity = _severity(rule, subject, options)
        if rule.check is None or severity is None:
            continue
        findings += [_from_hit(hit, rule, severity, subject) for hit in rule.check(subject)]
    return findings


def across(subjects: Sequence[Subject], options: Options) -> list[Finding]:
    """What the rules say that compare environments."""
    findings: list[Finding] = []
    for rule in rules().values():
        if rule.across is None or len(subjects) < 2:
            continue
        for subject, hit in rule.across(subjects):
            severity = _severity(rule, subject, options)
            if severity is not None:
                findings.append(_from_hit(hit, rule, severity, subject))
    return findings


def merge(findings: Sequence[Finding]) -> list[Finding]:
    """Each finding once, with all its environments."""
    found: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        before = found.get(finding.identity)
        found[finding.identity] = finding if before is None else before.also_in(finding)
    return list(found.values())


def _severity(rule: Rule, subject: Subject, options: Options) -> Severity | None:
    if options.only and rule.code not in options.only and rule.name not in options.only:
        return None
    own = rule.severity_in(subject.strict)
    for key in (rule.code, rule.name):
        if key in options.settings.severities:
            given = options.settings.severities[key]
            # A rule that is silent outside production stays so: the setting says how grave, not where.
            return given if own is not None or given is None else None
    return own


def _from_hit(hit: Hit, rule: Rule, severity: Severity, subject: Subject) -> Finding:
    given = severity if hit.severity is None else hit.severity
    place = hit.place or subject.place(hit.mark)
    excerpt = _excerpt(place, subject)
    return Finding(
        rule.code,
        given,
        hit.message,
        place,
        hit.service,
        hit.path,
        hit.mend or rule.mend,
        () if hit.place else subject.sources.chain(hit.mark),
        excerpt,
        tuple((word, mark if isinstance(mark, Place) else subject.place(mark)) for word, mark in hit.related),
        (subject.environment,),
        hit.fix,
    )


def _excerpt(place: Place, subject: Subject) -> str:
    if not place.line:
        return ""
    sources: Sources = subject.sources
    if place.file in sources.names:
        number = sources.names.index(place.file)
        return subject.memory.raw(place.file, sources.texts[number]).line(place.line)
    text = subject.files.read(place.file)
    return subject.memory.raw(place.file, text).line(place.line) if text is not None else ""


def _from_problem(problem: Problem, environment: str) -> Finding:
    return Finding(
        problem.code,
        Severity.ERROR,
        problem.message,
        Place(problem.file, problem.line, problem.column),
        "",
        problem.path,
        problem.suggestion,
        problem.chain,
        problem.excerpt,
        environments=(environment,),
    )


def _order(finding: Finding) -> tuple[object, ...]:
    return (finding.place.file, finding.place.line, finding.place.column, -finding.severity, finding.code)
