// For programs: JSON, SARIF 2.1.0 (code scanning), GitHub workflow commands, JUnit XML.
import type { Problem } from '../../schemas/problem.ts';
import { oneSentence, type ValidateReport } from './validate-report.ts';

/** `{ valid, files, documents, problems }`; a problem has the fields of the program's own `Problem`. Stable. */
export function jsonReport({ files, documents, problems }: ValidateReport): string {
  const valid = problems.every((problem) => problem.severity !== 'error');
  return `${JSON.stringify({ valid, files: files.size, documents, problems }, null, 2)}\n`;
}

export function sarifReport({ problems, version }: ValidateReport): string {
  const rules = [...new Set(problems.map((problem) => problem.rule))].toSorted().map((id) => ({ id }));
  const results = problems.map((problem) => ({
    ruleId: problem.rule,
    level: problem.severity,
    message: { text: oneSentence(problem) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(problem.file) },
          region: { startLine: problem.line, startColumn: problem.column, endLine: problem.endLine, endColumn: problem.endColumn },
        },
        ...(problem.field === '' ? {} : { logicalLocations: [{ fullyQualifiedName: problem.field }] }),
      },
    ],
  }));
  const run = { tool: { driver: { name: 'lockstep', version, rules } }, columnKind: 'utf16CodeUnits', results };
  return `${JSON.stringify({ $schema: 'https://json.schemastore.org/sarif-2.1.0.json', version: '2.1.0', runs: [run] }, null, 2)}\n`;
}

function uriOf(path: string): string {
  const uri = path.split('/').map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${uri}` : uri.replace(/^\.\//, '');
}

/** Workflow commands: GitHub shows them at their lines. */
export function githubReport({ problems }: ValidateReport): string {
  return problems.map(githubLine).join('');
}

function githubLine(problem: Problem): string {
  const properties = {
    file: problem.file,
    line: problem.line,
    col: problem.column,
    endLine: problem.endLine,
    // Several lines have no common columns; GitHub then takes lines only.
    ...(problem.endLine === problem.line ? { endColumn: problem.endColumn } : {}),
    title: problem.rule,
  };
  const list = Object.entries(properties).map(([key, value]) => `${key}=${githubProperty(String(value))}`);
  return `::${problem.severity} ${list.join(',')}::${githubData(oneSentence(problem))}\n`;
}

function githubData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function githubProperty(text: string): string {
  return githubData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** One test case per file. */
export function junitReport({ files, problems }: ValidateReport): string {
  const byFile = Map.groupBy(problems, (problem) => problem.file);
  const names = [...new Set([...files.keys(), ...byFile.keys()])].toSorted();
  const failed = new Set(problems.filter((problem) => problem.severity === 'error').map((problem) => problem.file)).size;
  const cases = names.map((name) => junitCase(name, byFile.get(name) ?? []));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites><testsuite name="lockstep validate" tests="${names.length}" failures="${failed}">`,
    ...cases,
    '</testsuite></testsuites>',
    '',
  ].join('\n');
}

function junitCase(file: string, problems: readonly Problem[]): string {
  const failures = problems.map((problem) => {
    const text = `${problem.file}:${problem.line}:${problem.column}: ${oneSentence(problem)}`;
    if (problem.severity === 'warning') return `<system-out>${xml(text)}</system-out>`;
    return `<failure type="${xml(problem.rule)}" message="${xml(problem.message)}">${xml(text)}</failure>`;
  });
  return `<testcase classname="lockstep validate" name="${xml(file)}">${failures.join('')}</testcase>`;
}

// oxlint-disable-next-line no-control-regex -- XML 1.0 cannot hold them, not even escaped
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(NOT_XML, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
