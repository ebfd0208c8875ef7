// Mistakes in YAML itself, in words for people who write manifests. The parser tells where it gave up; the place to mend is often earlier:
// a quote or bracket that is never closed is shown where it is opened.
import { isCollection, isScalar, type Node, visit, type YAMLError } from 'yaml';
import type { Problem } from './problem.ts';
import type { YamlDocument, YamlFile } from './yaml-file.ts';

interface Said {
  readonly message: string;
  readonly hint?: string;
  /** Where to look, when it is not where the parser stopped. */
  readonly range?: readonly [number, number];
}

export function syntaxProblems(yaml: YamlFile, tree: YamlDocument): Problem[] {
  const problems: Problem[] = [...tree.errors, ...tree.warnings].map((error) => {
    const { message, hint, range } = say(error, yaml, tree);
    const [start, end] = range ?? error.pos;
    return {
      ...yaml.positionAt(start, end),
      severity: 'error',
      rule: 'yaml-syntax',
      field: '',
      message,
      ...(hint === undefined ? {} : { hint }),
    };
  });
  if (problems.length === 0 && tree.directives.yaml.explicit === true && tree.directives.yaml.version !== '1.2') {
    const position = yaml.positionAt(tree.range[0], tree.range[0]);
    const message = `Manifests are YAML 1.2, not ${tree.directives.yaml.version}.`;
    problems.push({ ...position, severity: 'error', rule: 'yaml-version', field: '', message, hint: 'Remove the %YAML directive.' });
  }
  return problems;
}

const BAD_NAME: Said = {
  message: 'Anchors ("&name") and aliases ("*name") must be one word, before a value or instead of it.',
  hint: 'Quote a text that begins with "&" or "*".',
};

const SENTENCES: Readonly<Partial<Record<YAMLError['code'], Said>>> = {
  TAB_AS_INDENT: { message: 'A tab is used as indentation.', hint: 'Indent with spaces; YAML does not allow tabs.' },
  MULTILINE_IMPLICIT_KEY: {
    message: 'This text of several lines stands where a key is expected.',
    hint: 'Perhaps a ":" is missing after a key, or a quote is not closed.',
  },
  BLOCK_AS_IMPLICIT_KEY: { message: 'There is a second ": " in this line.', hint: 'Quote a value that holds ": ".' },
  BLOCK_IN_FLOW: {
    message: 'Indented lines cannot stand inside { } or [ ].',
    hint: 'Write the whole map or list in one of the two forms.',
  },
  TAG_RESOLVE_FAILED: { message: 'Tags ("!...") have no meaning in manifests.', hint: 'Remove the tag.' },
  BAD_COLLECTION_TYPE: { message: 'Tags ("!...") have no meaning in manifests.', hint: 'Remove the tag.' },
  BAD_DQ_ESCAPE: {
    message: 'This "\\" begins no escape sequence that YAML knows.',
    hint: "In double quotes write \\\\ for a backslash, or use single quotes: '...'.",
  },
  KEY_OVER_1024_CHARS: { message: 'A key may have at most 1024 characters.' },
  BAD_ALIAS: BAD_NAME,
  ALIAS_PROPS: BAD_NAME,
  BAD_PROP_ORDER: BAD_NAME,
  MULTIPLE_ANCHORS: BAD_NAME,
  BAD_DIRECTIVE: { message: 'This line begins with "%", which is for directives of YAML.', hint: 'Remove the line, or quote the text.' },
};

function say(error: YAMLError, yaml: YamlFile, tree: YamlDocument): Said {
  if (error.message.startsWith('Maximum call stack')) return { message: 'This is nested too deep to be read.' };
  const [text = ''] = error.message.split('\n', 1);
  const found = error.code === 'MISSING_CHAR' || error.code === 'BAD_INDENT' ? unclosed(text, error.pos[0], yaml, tree) : undefined;
  return found ?? bySymbol(error.code, text, yaml.text[error.pos[0]] ?? '') ?? SENTENCES[error.code] ?? { message: asSentence(text) };
}

function bySymbol(code: YAMLError['code'], text: string, at: string): Said | undefined {
  if (code === 'BAD_SCALAR_START' || text.startsWith('Plain value cannot start with')) {
    return { message: `A value cannot begin with "${at}" unless it is quoted.`, hint: 'Put the value in quotes.' };
  }
  if (code === 'UNEXPECTED_TOKEN' && (at === '}' || at === ']')) {
    return {
      message: `There is a "${at}" without a "${at === '}' ? '{' : '['}" before it.`,
      hint: 'Remove it, or quote the text it is part of.',
    };
  }
  if (code === 'UNEXPECTED_TOKEN' && at === ',') return { message: 'There is a "," with nothing before it.', hint: 'Remove it.' };
  if (/^All (mapping|sequence) items must start/.test(text)) {
    const what = text.startsWith('All m') ? 'keys of a map' : 'items of a list';
    return { message: `The ${what} must begin in the same column, and this line does not.`, hint: 'Indent it as the lines before.' };
  }
  if (code === 'MISSING_CHAR' && text.startsWith('Missing ,')) {
    return { message: 'There is no "," between two items inside { } or [ ].', hint: 'Put a "," between them, or quote the text.' };
  }
  if (text.startsWith('Comments must'))
    return { message: 'A comment needs a space before its "#".', hint: 'Or quote the text it is part of.' };
  if (text.startsWith('Tags and anchors must') || text.startsWith('Missing newline after')) return BAD_NAME;
  if (/^Block scalar(?! header)/.test(text)) {
    return { message: 'The lines of this text must all be indented further than its key.', hint: 'They begin below "|" or ">".' };
  }
  if (text.startsWith('Block scalar header')) {
    return {
      message: 'After "|" or ">" the line must end; the text begins in the next one.',
      hint: 'Quote the text if it begins with this character.',
    };
  }
  if (code === 'UNEXPECTED_TOKEN' || code === 'IMPOSSIBLE') {
    return { message: 'This does not belong here.', hint: 'Quote a text that holds special characters such as : { } [ ] , & * # " or %.' };
  }
  if (text.startsWith('Implicit map keys need to be followed')) {
    return { message: 'This key has no ":" and value after it.', hint: 'Write "key: value".' };
  }
  return undefined;
}

/** A quote or bracket that is never closed, at the place where it was opened. */
function unclosed(text: string, stoppedAt: number, yaml: YamlFile, tree: YamlDocument): Said | undefined {
  const quote = /^Missing closing ["']/.test(text);
  const bracket = /must be sufficiently indented and end with|^Expected flow (?:map|sequence)|end with a [}\]]/.test(text);
  if (!quote && !bracket) return undefined;
  const somewhere = { message: 'A bracket that is opened before this place is not closed.', hint: 'A } or ] is missing.' };
  let start: number | undefined;
  visit(tree.contents, {
    Node: (_key, node: Node) => {
      const from = node.range?.[0];
      if (from === undefined || from >= stoppedAt) return;
      const opened = yaml.text[from];
      const opens = quote ? isScalar(node) && (opened === '"' || opened === "'") : isCollection(node) && (opened === '{' || opened === '[');
      // The last one that was opened before the parser gave up; inner ones come later in the walk.
      if (opens && (quote || !isClosed(yaml.text, node))) start = from;
    },
  });
  const opened = start === undefined ? undefined : yaml.text[start];
  if (start === undefined || opened === undefined) return somewhere;
  const closing = { '{': '}', '[': ']' }[opened] ?? opened;
  return {
    message: `The ${quote ? 'quote' : 'bracket'} ${opened} that is opened here is not closed.`,
    hint: `A ${closing} is missing, here or in one of the next lines.`,
    range: [start, start + 1],
  };
}

function isClosed(text: string, node: Node): boolean {
  const end = node.range?.[1];
  return end !== undefined && '}]'.includes(text[end - 1] ?? ' ');
}

function asSentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
