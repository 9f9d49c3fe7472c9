/**
 * The hosts of examples/three-hosts/README.md on one machine: each is a folder, in which the commands of the README run as they
 * stand but for names, ports and folders. What would change the machine itself (users, units, credentials) or reach another one
 * (scp, the telephone) is a shell function that does the same among the folders.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

export const hostNames = { A: 'a.example.org', B: 'b.example.org', C: 'c.example.org' } as const;
export type HostLetter = keyof typeof hostNames;

/** Some commands of the README, and where it says that they are run. */
export interface Step {
  readonly heading: string;
  readonly hosts: readonly HostLetter[];
  readonly commands: string;
}

/** Every block of commands, in order, on the hosts that its heading or the line above it names. */
export function stepsOf(readme: string): Step[] {
  const letters = Object.keys(hostNames) as HostLetter[];
  const steps: Step[] = [];
  let heading = '';
  for (const [, title, said, commands] of readme.matchAll(/^## (.*)$|(?:^On ([ABC]):\n\n)?^```sh\n([^`]*)```$/gm)) {
    if (title !== undefined) heading = title;
    if (commands === undefined) continue;
    const named = said ?? /^Host ([ABC]):/.exec(heading)?.[1];
    assert.ok(named !== undefined || heading.startsWith('Every host:'), `on which host? ${heading}`);
    steps.push({ heading, hosts: letters.filter((letter) => (named ?? letter) === letter), commands });
  }
  return steps;
}

const prelude = `
set -euo pipefail
sudo() {
  while [[ $1 == -* ]]; do if [ "$1" = -u ]; then shift; fi; shift; done
  "$@"
}
useradd() { :; }
# Nobody is made, so nothing is given to anybody.
install() {
  local args=()
  while [ $# -gt 0 ]; do case $1 in -o | -g) shift 2 ;; *) args+=("$1"); shift ;; esac; done
  command install "\${args[@]}"
}
systemctl() {
  if [ "$1" = enable ]; then shift 2; printf '%s\\n' "$@" >>"$HERE/enabled"; fi
}
systemd-creds() {
  [ "$1 $2 $3" = "encrypt --name=passphrase -" ]
  cat >"$4"
}
scp() {
  local to="\${!#}" files=("\${@:1:$#-1}")
  cp "\${files[@]}" "$HOSTS/\${to%%:*}\${to#*:"$HERE"}"
}
# Whoever joins reads the fingerprint out, and whoever admits compares it.
node() {
  case "$2" in
    join)
      command node "$@" | tee "$HOSTS/said"
      sed -nE 's/^ +([a-z]+): (.*)  yours; .*/\\1=\\2/p' "$HOSTS/said" >>"$HOSTS/telephone" ;;
    admit) command node "$@" --fingerprint "$(sed -n "s/^$(basename "$3" .join.json)=//p" "$HOSTS/telephone")" ;;
    *) command node "$@" ;;
  esac
}
`;

export interface Hosts extends AsyncDisposable {
  /** Where the others find the facilitator, and its own people the model owner. */
  readonly ports: { readonly facilitator: number; readonly modelOwner: number };
  /** The folder that stands for a host's file system. */
  readonly folder: (host: HostLetter) => string;
  /** What stands there for a path, such as /etc/sealsum/north. */
  readonly at: (host: HostLetter, path: string) => string;
  /** Runs commands of the README there, and gives what they printed. */
  readonly run: (host: HostLetter, commands: string) => Promise<string>;
  /** The units that were enabled there, such as sealsum-data-owner@north. */
  readonly enabled: (host: HostLetter) => Promise<string[]>;
  /** A text with names, ports and folders as they are there. */
  readonly local: (host: HostLetter, text: string) => string;
}

const places = [
  '/etc/sealsum',
  '/etc/systemd/system',
  '/srv/sealsum',
  '/srv/exchange',
  '/var/lib/sealsum',
  '/run/credentials',
];

export async function createHosts(): Promise<Hosts> {
  const all = await mkdtemp(join(tmpdir(), 'sealsum-hosts-'));
  const ports = { facilitator: await freePort(), modelOwner: await freePort() };
  const folder = (host: HostLetter): string => join(all, hostNames[host]);
  for (const host of Object.keys(hostNames) as HostLetter[]) {
    for (const place of ['/etc/systemd/system', '/srv', '/var/lib/sealsum'])
      await mkdir(folder(host) + place, { recursive: true });
    await writeFile(join(folder(host), 'state'), 'cd "$HERE"\n');
  }
  const local = (host: HostLetter, text: string): string => {
    const here = places.reduce((result, place) => result.replaceAll(place, folder(host) + place), text);
    return here
      .replaceAll('/opt/sealsum', root)
      .replaceAll('a.example.org:8080', `localhost:${ports.facilitator}`)
      .replaceAll('b.example.org:9090', `localhost:${ports.modelOwner}`)
      .replaceAll('DNS:$HOST', 'DNS:localhost')
      .replace(/^port = 8080$/m, `port = ${ports.facilitator}`)
      .replace(/^port = 9090$/m, `port = ${ports.modelOwner}`)
      .replace(/^port = 5000$/m, 'port = 0');
  };
  const run = async (host: HostLetter, commands: string): Promise<string> => {
    const state = join(folder(host), 'state');
    // What a person's shell keeps from one block to the next: the folder, variables, the function.
    const script = `${prelude}\nsource "${state}"\n${local(host, commands)}
{ echo "cd '$PWD'"; declare -f sealsum; declare -p SEALSUM_PASSPHRASE HOST PARTIES; } >"${state}" 2>/dev/null || true`;
    const env = { ...process.env, SEALSUM_PASSPHRASE: undefined, HOSTS: all, HERE: folder(host) };
    const { stdout } = await promisify(execFile)('bash', ['-c', script], { env, maxBuffer: 1 << 24 });
    return stdout;
  };
  return {
    ports,
    folder,
    at: (host, path) => folder(host) + path,
    run,
    enabled: async (host) =>
      (await readFile(join(folder(host), 'enabled'), 'utf8')).split('\n').filter((unit) => unit !== ''),
    local,
    [Symbol.asyncDispose]: () => rm(all, { recursive: true, force: true }),
  };
}

/** What systemd does before it starts a unit, with what stands in its file: the command that it then runs. */
export async function prepareUnit(hosts: Hosts, host: HostLetter, unit: string): Promise<readonly string[]> {
  const [template = '', instance = ''] = unit.split('@');
  const file = hosts.at(host, `/etc/systemd/system/${template}@.service`);
  const text = (await readFile(file, 'utf8')).replaceAll('%i', instance);
  const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? assert.fail(name);
  const [credential = '', path = ''] = setting('LoadCredentialEncrypted').split(':');
  const credentials = hosts.at(host, `/run/credentials/${unit}.service`);
  await mkdir(credentials, { recursive: true, mode: 0o700 });
  await writeFile(join(credentials, credential), await readFile(hosts.local(host, path)), { mode: 0o400 });
  return hosts.local(host, setting('ExecStart')).split(' ');
}

/** Puts the names, ports and folders of this machine into the configurations that were installed. */
export async function localiseConfigs(hosts: Hosts, host: HostLetter): Promise<void> {
  for (const entry of await readdir(hosts.at(host, '/etc/sealsum'), { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'invitations') continue;
    const file = hosts.at(host, `/etc/sealsum/${entry.name}/config.toml`);
    await writeFile(file, hosts.local(host, await readFile(file, 'utf8')));
    await chmod(file, 0o644);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
