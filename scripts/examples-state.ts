// Where `npm start` keeps the examples' state, and how `npm run clean:examples` knows that it may remove it.

export const EXAMPLES_STATE_DIR = '/var/lib/lockstep';
export const EXAMPLES_MARK = 'examples';
