// One entry of a tar archive as its headers describe it, and the error for an archive that is not taken.
import { AppError } from '../../../core/errors.ts';

/** One header with what extension headers before it said. */
export interface Entry {
  readonly name: string;
  /** Target of a link. */
  readonly link: string;
  /** Type flag: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` FIFO, `S` GNU sparse file. */
  readonly type: string;
  /** Bytes of data that follow. */
  readonly storedBytes: number;
  /** Size of the file when unpacked, holes included. */
  readonly fileBytes: number;
}

const SHOWN_CHARACTERS = 200;

/** A name from an archive, short and without control characters, for messages. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > SHOWN_CHARACTERS ? `${name.slice(0, SHOWN_CHARACTERS)}...` : name);
}

/** Why an archive is not unpacked. */
export function refused(because: string): AppError {
  return new AppError('IMAGE_INVALID', {}, { message: `The archive is refused: ${because}.`, hint: 'Nothing was unpacked.' });
}
