/** Certificates of an authority that exists for one test, made by openssl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Pair {
  /** A certificate for a server's name or address, or a client's name. @param days it is good for; −1 for none any more */
  issue(subject: string, alternative: string, days?: number): Pair;
}

/** @returns undefined, and says that something was skipped, where there is no openssl */
export function createAuthority(name: string): Authority | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
  } catch {
    console.log('skipped: there is no openssl to make certificates with');
    return undefined;
  }
  return authority(name);
}

function authority(name: string): Authority {
  const own = inFolder((folder) => {
    openssl(folder, [...request(name), '-x509', '-days', '2', '-out', 'cert.pem']);
    return pair(folder);
  });
  return {
    ...own,
    issue: (subject, alternative, days = 2) =>
      inFolder((folder) => {
        openssl(folder, [...request(subject), '-addext', `subjectAltName=${alternative}`, '-out', 'request.pem']);
        writeFileSync(join(folder, 'authority.pem'), own.cert + own.key);
        const sign = ['x509', '-req', '-in', 'request.pem', '-CA', 'authority.pem', '-CAkey', 'authority.pem'];
        const terms = ['-CAcreateserial', '-copy_extensions', 'copy', '-days', String(days)];
        openssl(folder, [...sign, ...terms, '-out', 'cert.pem']);
        return pair(folder);
      }),
  };
}

function request(subject: string): string[] {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  return ['req', ...key, '-subj', `/CN=${subject}`];
}

function openssl(cwd: string, args: readonly string[]): void {
  execFileSync('openssl', args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

function pair(folder: string): Pair {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  return { cert: read('cert.pem'), key: read('key.pem') };
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'sealsum-certificates-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
