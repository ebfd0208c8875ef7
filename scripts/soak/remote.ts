// The git repository a soak run's daemon follows: a bare one on this machine, which is moved away and back.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../src/host/run/run.ts';

const AUTHOR = {
  GIT_AUTHOR_NAME: 'Soak',
  GIT_AUTHOR_EMAIL: 'soak@example.com',
  GIT_COMMITTER_NAME: 'Soak',
  GIT_COMMITTER_EMAIL: 'soak@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
};

export class Remote {
  readonly #bare: string;
  readonly #work: string;
  #away = false;
  /** One thing after the other: git refuses two pushes at once. */
  #last: Promise<unknown> = Promise.resolve();
  commits = 0;

  constructor(directory: string) {
    this.#bare = join(directory, 'remote.git');
    this.#work = join(directory, 'work');
  }

  get url(): string {
    return `file://${this.#bare}`;
  }

  async open(text: string): Promise<void> {
    await mustRun(['git', 'init', '--quiet', '--bare', '--initial-branch=main', this.#bare], { env: AUTHOR });
    await mustRun(['git', 'init', '--quiet', '--initial-branch=main', this.#work], { env: AUTHOR });
    mkdirSync(join(this.#work, 'host'));
    await this.commit(text, 'first');
  }

  /** Committed at once; seen when it can be pushed. */
  async commit(text: string, message: string): Promise<void> {
    await this.#inTurn(async () => await this.#commit(text, message));
  }

  async goAway(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#away) return;
      renameSync(this.#bare, `${this.#bare}.away`);
      this.#away = true;
    });
  }

  async comeBack(): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.#away) return;
      renameSync(`${this.#bare}.away`, this.#bare);
      this.#away = false;
      await this.#push();
    });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    await turn;
  }

  async #commit(text: string, message: string): Promise<void> {
    writeFileSync(join(this.#work, 'host/all.yaml'), text);
    await mustRun(['git', '-C', this.#work, 'add', '--all'], { env: AUTHOR });
    await mustRun(['git', '-C', this.#work, 'commit', '--quiet', '--allow-empty', '-m', message], { env: AUTHOR });
    this.commits++;
    await this.#push();
  }

  async #push(): Promise<void> {
    if (!this.#away) await mustRun(['git', '-C', this.#work, 'push', '--quiet', this.#bare, 'HEAD:main'], { env: AUTHOR });
  }

  async head(): Promise<string> {
    return (await mustRun(['git', '-C', this.#work, 'rev-parse', 'HEAD'], { env: AUTHOR })).stdout.trim();
  }
}
