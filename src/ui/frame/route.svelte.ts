/** Where in the dashboard one is, as the address says after its #: `#/models/ID` is the path ['models', 'ID']. */

function pathNow(): readonly string[] {
  const { hash } = location;
  if (!hash.startsWith('#/')) return [];
  return hash
    .slice(2)
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

class Route {
  path: readonly string[] = $state.raw(pathNow());

  constructor() {
    addEventListener('hashchange', () => {
      this.path = pathNow();
    });
  }
}

export const route: Route = new Route();

/** The address of a page, for links. */
export function linkTo(...path: readonly string[]): string {
  return `#/${path.map(encodeURIComponent).join('/')}`;
}

export function goTo(...path: readonly string[]): void {
  location.hash = linkTo(...path);
}
