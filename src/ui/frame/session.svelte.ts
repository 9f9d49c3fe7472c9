/** Who is signed in to which party: by the link in the address, which is taken out of it at once, or from before. */
import type { SessionView } from '../../http/dashboard/serve.ts';
import { messageOf, Refused, request, whenSignedOut } from './request.ts';

class SignIn {
  /** Undefined until the party has said whether anybody is signed in. */
  state: 'unknown' | 'in' | 'out' = $state('unknown');
  view: SessionView | undefined = $state.raw();
  /** Why signing in has failed. */
  failure: string | undefined = $state();

  constructor() {
    whenSignedOut(() => {
      if (this.state === 'in')
        this.failure = 'The session is over: somebody signed out, or its twelve hours have passed.';
      this.state = 'out';
    });
    // A link that is opened while the page is there changes the address only.
    addEventListener('hashchange', () => {
      if (tokenNow() !== undefined) void this.begin();
    });
  }

  async begin(): Promise<void> {
    const token = tokenNow();
    // Not in the history either: a token is good once, but nobody should have to know that.
    if (token !== undefined) history.replaceState(null, '', `${location.pathname}#/`);
    try {
      this.view = await (token === undefined
        ? request<SessionView>('session')
        : request<SessionView>('session', { method: 'POST', json: { token } }));
      this.failure = undefined;
      this.state = 'in';
    } catch (error) {
      // Whoever is signed in already loses nothing by a link that was used.
      if (token !== undefined && (await this.#isIn())) return;
      this.failure = error instanceof Refused && error.code === 'session_missing' ? undefined : messageOf(error);
      this.state = 'out';
    }
  }

  async end(): Promise<void> {
    await request('session', { method: 'DELETE' });
    this.view = undefined;
    this.state = 'out';
    // Its stream may have told that the session is over before this was answered.
    this.failure = undefined;
  }

  async #isIn(): Promise<boolean> {
    try {
      this.view = await request<SessionView>('session');
      this.state = 'in';
      return true;
    } catch {
      return false;
    }
  }
}

function tokenNow(): string | undefined {
  return /^#login=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1];
}

export const signIn: SignIn = new SignIn();
