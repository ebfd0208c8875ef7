// Paths of the host itself that instances are given: directories and files for disk devices, nodes for unix devices.

/** What a path leads to, symbolic links followed. `missing` only when the kernel says so (ENOENT, ENOTDIR); other failures throw. */
export type HostPathReading =
  | { readonly is: 'missing' }
  | { readonly is: 'directory' }
  /** A regular file, socket or pipe: what a file can be bound over. */
  | { readonly is: 'file' }
  | { readonly is: 'char' | 'block'; readonly major: number; readonly minor: number };

export interface FilesPort {
  /** Throws HOST_UNREADABLE with the path when it can be said neither way. */
  stat(path: string): Promise<HostPathReading>;
}
