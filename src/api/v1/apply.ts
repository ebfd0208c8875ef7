// Puts manifests into a stored source.
import { AppError } from '../../core/errors.ts';
import type { Routes } from '../deps.ts';
import { ManifestsRefused } from '../problem-document.ts';
import { ApplyBody } from '../requests.ts';
import { ApplyResultSchema } from '../schemas.ts';

/** All files of a request together, as JSON. */
export const MANIFEST_LIMIT_BYTES = 32 * 1024 * 1024;

export const applyRoutes: Routes = (app, context) => {
  const { control } = context;
  app.post<{ Body: ApplyBody }>(
    '/v1/apply',
    {
      bodyLimit: MANIFEST_LIMIT_BYTES,
      schema: {
        summary: 'Puts the objects of these files into a stored source.',
        description: 'All or nothing: with one error in the files nothing is stored, and the answer (MANIFEST_INVALID) lists the problems.',
        body: ApplyBody,
        response: { 200: ApplyResultSchema },
      },
    },
    async (request) => {
      const { files, source, prune, plan } = request.body;
      if (prune === true && source === undefined) {
        throw new AppError(
          'REQUEST_INVALID',
          {},
          {
            message: 'Pruning needs the name of the stored source whose whole content the files are.',
            hint: 'Give --source NAME with --prune.',
          },
        );
      }
      const options = {
        ...(source === undefined ? {} : { source }),
        ...(prune === undefined ? {} : { prune }),
        ...(plan === undefined ? {} : { plan }),
        actor: context.actor(request.raw.socket),
      };
      const result = await control.apply(files, options);
      if (result.problems.some((one) => one.severity === 'error')) throw new ManifestsRefused(result.problems);
      return result;
    },
  );
};
