// `admin-sql`: the SQL that makes the operator's admin, for the chosen set-up.
import { Command, InvalidArgumentError, Option } from 'commander';
import { fitsPostgresName, whyNotUsername } from '../api/username.ts';
import { type AdminSetUp, adminSQL } from '../resources/role/admin-sql.ts';

interface Options {
  readonly username: string;
  readonly authentication: 'IAM' | 'Secret';
  readonly postgres: number;
  readonly group: readonly string[];
  readonly helpers?: boolean;
  readonly rotateFrom?: string;
}

export function adminSqlCommand(print: (text: string) => void): Command {
  return new Command('admin-sql')
    .description(
      "print the SQL that makes the operator's admin, with exactly the rights that AdminReady asks for",
    )
    .requiredOption('--postgres <major>', 'major version of the server, as in 17', majorVersion)
    .option('--username <name>', 'spec.admin.username', adminName, 'iamdb_admin')
    .addOption(
      new Option('--authentication <how>', 'spec.admin.authentication')
        .choices(['IAM', 'Secret'])
        .default('IAM'),
    )
    .option(
      '--group <role...>',
      'roles that users may get (memberOf), or that receive what they own (reassignOwnedTo)',
      (name: string, before: readonly string[]) => [...before, roleName(name)],
      [] as readonly string[],
    )
    .option(
      '--no-helpers',
      'with Secret on PostgreSQL 16 and later: without the functions that keep the admin out of rds_iam',
    )
    .option('--rotate-from <name>', 'the admin whose place it takes', adminName)
    .action((options: Options, command: Command) => {
      if (options.rotateFrom === options.username) {
        command.error('error: --rotate-from names the admin of before, not --username itself');
      }
      print(adminSQL(setUpOf(options)));
    });
}

/** Functions are for a password admin since creators are members; nobody else needs them. */
function setUpOf({
  username,
  authentication,
  postgres: major,
  group,
  helpers = true,
  rotateFrom,
}: Options): AdminSetUp {
  return {
    username,
    login: authentication === 'IAM' ? 'IAM' : 'Password',
    major,
    helpers: helpers && authentication === 'Secret' && major >= 16,
    groups: [...new Set(group)],
    ...(rotateFrom === undefined ? {} : { rotateFrom }),
  };
}

function majorVersion(text: string): number {
  const major = /^[0-9]{2}$/.test(text) ? Number(text) : 0;
  if (major < 10) throw new InvalidArgumentError('It is 10 or higher.');
  return major;
}

function adminName(name: string): string {
  const why = whyNotUsername(name);
  if (why !== undefined) throw new InvalidArgumentError(`${why}.`);
  return name;
}

function roleName(name: string): string {
  if (!fitsPostgresName(name) || /\p{Cc}/u.test(name)) {
    throw new InvalidArgumentError('A role has a name of 1 to 63 bytes, on one line.');
  }
  // What the bodies are quoted with.
  if (name.includes('$iamdb$')) throw new InvalidArgumentError('$iamdb$ cannot be a part of it here.');
  return name;
}
