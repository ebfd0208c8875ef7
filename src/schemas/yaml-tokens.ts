// YAML text to syntax tokens, with an end: the parser's own recursion and memory have no limit, and a manifest is anybody's input.
import { Lexer, type LineCounter, Parser, type CST } from 'yaml';

/** Open collections at one place. Real manifests have about ten. */
const MAX_OPEN = 64;
/** Smallest parts of the text: words, colons, spaces, line breaks. A manifest of 20 lines has about 120. */
const MAX_PARTS = 1_000_000;

/** The text is refused before it is parsed to its end. */
export class TooComplex extends Error {
  /** Offset in the text. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Yields what `Parser.parse` would; throws TooComplex where a limit is exceeded. */
export function* boundedTokens(text: string, lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let parts = 0;
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_OPEN) throw new TooComplex(`This is nested more than ${MAX_OPEN} levels deep.`, parser.offset);
    if (++parts > MAX_PARTS) throw new TooComplex('The file is too large to be read as a whole: split it.', parser.offset);
  }
  yield* parser.end();
}
