// Better Auth behind Express, as its documentation integrates the two. BETTER_AUTH_SECRET and BETTER_AUTH_URL
// are read by Better Auth, the PG* variables by pg.
import express from "express";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { auth } from "./auth.js";

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const app = express();
app.set("view engine", "ejs");
app.set("views", `${import.meta.dirname}/views`);
app.all("/api/auth/*splat", toNodeHandler(auth));

const filler = "x".repeat(Number(process.env.PAGE_FILLER));

app.get("/home", async (req, res) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(req.headers) });
  if (!session) return res.redirect("/login");
  res.render("home", { name: session.user.name, filler });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
