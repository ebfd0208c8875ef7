// lockstep explain: what a kind, a field or a config key means, and where an object's value of it comes from. Offline.
import { type Define, findLocalPaths } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

export const define: Define = (command, run) => {
  command
    .argument('<what>', 'KIND[.field], such as instance.config.limits.memory or network; a config key or nic.hwaddr will do')
    .argument('[paths...]', 'with --of: manifests to look in')
    .option('--of <object>', 'also show the value this object has, and where it comes from')
    .action((what: string, paths: string[], options: { readonly of?: string }) =>
      run(async (context) => {
        const { explain, explanationText } = await import('../offline/explain.ts');
        const explanation = explain(what);
        const value = options.of === undefined ? undefined : await valueOf(explanation.subject, options.of, paths, context);
        if (await context.output.data({ ...explanation, ...(value === undefined ? {} : { value }) })) return EXIT.done;
        for (const line of explanationText(explanation).trimEnd().split('\n')) context.output.line(line);
        if (value !== undefined) context.output.line(`\n${value}`);
        return EXIT.done;
      }),
    );
};

async function valueOf(
  key: string,
  object: string,
  paths: readonly string[],
  context: Parameters<typeof findLocalPaths>[0],
): Promise<string> {
  const { describeMerged } = await import('../offline/describe-merged.ts');
  const view = await describeMerged(object, paths.length > 0 ? paths : await findLocalPaths(context), context.project);
  const found = [
    ...Object.entries(view.config).map(([name, value]) => [name, value, ''] as const),
    ...Object.entries(view.devices).flatMap(([device, { options }]) =>
      Object.entries(options).map(([name, value]) => [name, value, `device ${device}: `] as const),
    ),
  ].filter(([name]) => name === key);
  if (found.length === 0) return `${view.object} does not set it.`;
  return found.map(([, { value, from }, where]) => `${view.object}: ${where}${value}  ${from}`).join('\n');
}
