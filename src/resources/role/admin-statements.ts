// The statements that give an admin its rights: one text for the messages that name them and for the SQL of admin-sql.
import { identifier } from './quote.ts';

export const adminStatements = {
  create: (admin: string) => `CREATE ROLE ${identifier(admin)} LOGIN CREATEROLE;`,
  /** With the functions of admin-sql it is their owner that creates roles. */
  createWithoutRights: (admin: string) => `CREATE ROLE ${identifier(admin)} LOGIN;`,
  mayLogIn: (admin: string) => `ALTER ROLE ${identifier(admin)} LOGIN;`,
  mayCreateRoles: (admin: string) => `ALTER ROLE ${identifier(admin)} CREATEROLE;`,
  isItself: (admin: string) => `ALTER ROLE ${identifier(admin)} RESET role;`,
  /** Up to PostgreSQL 15 the ADMIN OPTION gives nothing that CREATEROLE does not: it is there for the upgrade. */
  mayGrantIam: (admin: string) => `GRANT rds_iam TO ${identifier(admin)} WITH ADMIN OPTION;`,
  /** From PostgreSQL 16 on without the privileges of the role itself; before, CREATEROLE is enough. */
  mayGrant: (admin: string, role: string, major: number) =>
    major >= 16
      ? `GRANT ${identifier(role)} TO ${identifier(admin)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`
      : `GRANT ${identifier(role)} TO ${identifier(admin)} WITH ADMIN OPTION;`,
} as const;

/** As messages put it to whoever has an admin that cannot work by password. */
export const iamAdminSQL = (admin: string): string =>
  `${adminStatements.create(admin)} ${adminStatements.mayGrantIam(admin)}`;
