// The command line, `kubectl iamdb`: commands that print what a person reviews and runs; none of these goes online.
import { Command } from 'commander';
import { adminSqlCommand } from './admin-sql.ts';
import { operatorPolicyCommand } from './operator-policy.ts';

const print = (text: string) => {
  process.stdout.write(text);
};

await new Command('kubectl-iamdb')
  .description('Passwordless (IAM) access to Aurora PostgreSQL and RDS for PostgreSQL')
  .addCommand(adminSqlCommand(print))
  .addCommand(operatorPolicyCommand(print))
  .parseAsync();
