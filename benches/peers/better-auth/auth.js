// Better Auth's own defaults: sessions and users in the database, asked on every request.
import { betterAuth } from "better-auth";
import pg from "pg";

export const auth = betterAuth({
  database: new pg.Pool(),
  emailAndPassword: { enabled: true },
  session: {
    // Off by default. On, a signed copy of the session in a cookie is believed for five minutes, revoked or not;
    // measured as well.
    cookieCache: { enabled: process.env.COOKIE_CACHE === "true", maxAge: 5 * 60 },
  },
});
