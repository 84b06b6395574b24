// Express with express-session and connect-pg-simple, set up as their documentation does for production
// (NODE_ENV=production comes from outside). The database is named by the PG* variables, which pg reads itself.
import express from "express";
import session from "express-session";
import connectPgSimple from "connect-pg-simple";
import pg from "pg";

const app = express();
app.set("view engine", "ejs");
app.set("views", `${import.meta.dirname}/views`);

const PgStore = connectPgSimple(session);
app.use(
  session({
    store: new PgStore({
      pool: new pg.Pool(),
      createTableIfMissing: true,
      // The default writes the new expiry on every request. Off is an option of the store's, measured as well.
      disableTouch: process.env.DISABLE_TOUCH === "true",
    }),
    secret: process.env.SESSION_SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 30 * 24 * 60 * 60 * 1000 },
  }),
);

const signedIn = (req, res, next) => (req.session.user ? next() : res.redirect("/login"));
const filler = "x".repeat(Number(process.env.PAGE_FILLER));

app.get("/home", signedIn, (req, res) => {
  res.render("home", { name: req.session.user, filler });
});

// Regenerates the session at log-in, as express-session's documentation recommends.
app.post("/login", express.urlencoded(), (req, res, next) => {
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.user = req.body.name;
    req.session.save((error) => (error ? next(error) : res.redirect("/home")));
  });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
