// Image: where an image comes from. Exactly one of build, file, url, simplestreams and oci (image-source.ts checks that).
import { type Static, Type } from 'typebox';
import { closed, drift, line, LINE } from './common.ts';

const build = closed(
  {
    type: Type.Enum(['busybox', 'debian'], { description: 'What is built: a minimal system around busybox, or Debian with systemd.' }),
    release: Type.Optional(
      Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$', description: 'Code name of the Debian release.', examples: ['bookworm'] }),
    ),
    packages: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z0-9][a-z0-9+.-]{0,127}$', description: 'Name of a Debian package.' }), {
        maxItems: 500,
        default: [],
        description: 'Debian packages to install besides the base system.',
      }),
    ),
    variant: Type.Optional(
      Type.Enum(['apt', 'minbase', 'important', 'standard'], {
        default: 'minbase',
        description: "How much of Debian's base system, as mmdebstrap(1) defines it.",
      }),
    ),
    mirror: Type.Optional(
      Type.String({
        pattern: String.raw`^https?://[^\s"'<>\u0000-\u001f\u007f]{1,1000}$`,
        description: "Debian mirror. Default: the host's.",
        examples: ['https://mirror.example.org/debian'],
      }),
    ),
  },
  'Build the image on this host. It is identified by this specification and built again when it changes.',
);

const source = closed(
  {
    build: Type.Optional(build),
    file: Type.Optional(
      Type.String({
        pattern: LINE,
        minLength: 1,
        maxLength: 4096,
        description: 'Absolute path of a unified image, or of the metadata part of a split one.',
      }),
    ),
    rootfs: Type.Optional(line('With `file`: absolute path of the root file system part of a split image.')),
    sha256: Type.Optional(
      Type.String({ pattern: '^[0-9a-f]{64}$', description: 'With `file`: the fingerprint the image must have, 64 hexadecimal digits.' }),
    ),
    url: Type.Optional(line('A URL to download from. Not supported yet.')),
    simplestreams: Type.Optional(line('URL of a simplestreams server. Not supported yet.')),
    alias: Type.Optional(line('With `simplestreams`: name of the image there. Not supported yet.')),
    oci: Type.Optional(line('Reference of an OCI image. Not supported yet.')),
  },
  'Where the image comes from: exactly one of `build` and `file`.',
);

export const imageSpecSchema = closed({ source, drift }, 'What the image is made from.');

/** `spec` of a valid Image document. */
export type ImageManifest = Static<typeof imageSpecSchema>;
