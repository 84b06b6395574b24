/*
 * The cache lease, as a model for spin. The proof in words: docs/decisions/cache-lease.md. bin/model checks it.
 *
 * Instances keep records they have read from Postgres. A revocation may be answered only when no instance can serve
 * the record as it was. Here every order in which the steps can happen is tried, and an assertion checks that a request
 * that started after the answer is never served an older version.
 *
 * There is one record, with a version. A revocation creates the next version, and the older ones must not be
 * served any more. A rotated key and a changed role or password work in the same way, so the model has only revocations.
 *
 * With KEYS, the watched requests come with a scoped key. Scoped keys have a cache of their own. An entry there holds the
 * session, which its lookup takes from the cache of sessions or reads. The record is both rows, so the version of an entry is the
 * older of the two; ending a key is a revocation, too.
 *
 * With STREAMS, one response lasts: it is marked by each change, looked up again, and written while it is not marked and
 * the instance is trusted. Each piece is written with the version that the last lookup found.
 *
 * What is not bounded:
 * - Delay. Any step may come arbitrarily late. A paused process (SIGSTOP) is one that makes no step while the others
 *   and the clocks do. A slow network, a notification under way and a dead connection that is not noticed look the same.
 * - Time. Only the remaining ticks are counted, at most LEASE, so the clock may run forever.
 * - Requests, lookups, pings, lost connections, crashes. A lost connection is noticed at any moment, and what was
 *   under way on it is lost. Postgres restarting is all of them losing theirs.
 * What is bounded, and why that is enough:
 * - REVOCATIONS. The first tests the wait. The second runs in the state that the first can leave behind, which is a
 *   marked or deleted row. A third should find no other state; `bin/model --deep` tries.
 *   A revoker belongs to no instance: it may run on any, also on one that is not here, with or without a working
 *   listener, and it may stop for ever after any step (crashed).
 *   With KEYS or STREAMS one is enough: what the second finds is the table of listeners, which has nothing to do with keys.
 * - INSTANCES. The watched request is on one of them, WATCHED. All that another one does to it is to revoke and to
 *   clean up, which is the revokers' part, and to have a row, which makes revokers wait longer. So other instances
 *   have a listener here, but no cache.
 * - IDS, which bounds the rows of crashed instances at a time. A listener that finds no free id waits.
 * - One lookup at a time, and one request is watched at a time. An entry comes from one lookup and is served to that
 *   request; without the other lookups it would have been there as well.
 * All clocks run at one rate and there is no margin: exact clocks need none. The real margin covers drift.
 */

#ifndef INSTANCES
#define INSTANCES 1
#endif
#ifndef REVOCATIONS
#define REVOCATIONS 2
#endif
#ifndef LEASE
#define LEASE 2
#endif
#define IDS (INSTANCES + 1)

/* Each of these breaks a rule. bin/model requires that each is caught. */
#define TRUST_FROM_ANSWER           1 /* the lease runs from the ping's answer, not from its sending */
#define INSERT_UNCHECKED            2 /* a row is cached although an invalidation arrived after it was read */
#define CACHE_KEPT                  3 /* a listener restarts and trusts the cache it had */
#define LISTEN_AFTER_CLEAR          4 /* a listener clears the cache, then listens */
#define DELETED_AT_ONCE             5 /* a row is deleted without waiting for a lease after it was marked */
#define TABLE_NOT_READ              6 /* a revoker waits only for ids that have acknowledged before */
#define TABLE_READ_BEFORE_COMMIT    7 /* a revoker reads the table before its commit */
#define ROW_NOT_LOOKED_AT           8 /* a ping renews trust without looking at the row */
#define TRUST_BEFORE_APPLYING       9 /* a ping renews trust before the notifications that came with it are applied */
#define JOINED_LATE                10 /* a request shares a lookup whose SELECT has begun */
#define GONE_NOT_WAITED_FOR        11 /* a revoker leaves out rows that are marked */
#define CACHE_BEFORE_TRUST         12 /* a request takes the entry, then checks whether the cache is trusted */
#define WAIT_FROM_BEFORE_COMMIT    13 /* a revoker's wait begins before its commit has returned */
#define SAME_ID_AGAIN              14 /* a listener restarts with the id it had */
#define GENERATION_AFTER_SELECT    15 /* a lookup notes the generation after its SELECT */
#define REMOVED_BEFORE_GENERATION  16 /* an invalidation removes the entry, then increments the generation */
#define CLEARED_BEFORE_GENERATION  17 /* a restart clears the cache, then increments the generation */
#define ACKNOWLEDGED_AHEAD         18 /* a sync is acknowledged before earlier notifications are applied */
#define LEFT_WHILE_TRUSTING        19 /* an instance that shuts down deletes its row before it stops trusting */
/* Each of these violates an assumption of the protocol. */
#define TABLE_UNLOGGED             20 /* a crash of Postgres empties the table */
#define PING_OVERTAKES             21 /* a ping's answer may come before earlier notifications */
#define CLOCK_STANDS_STILL         22 /* an instance's clock does not run while it is suspended */

/* Each of these breaks a rule for scoped keys. */
#define KEYS_EVICTED_FIRST         23 /* an invalidation evicts from the cache of keys, then from that of sessions */
#define SESSION_TAKEN_UNTRUSTED    24 /* a lookup of a key takes the session in memory although it is not trusted */
#define KEY_INSERTED_UNCHECKED     25 /* a key is cached although an invalidation arrived after it was read */
#define KEY_GENERATION_AFTER       26 /* a lookup of a key notes the generation after it took the session */
#define KEYS_KEPT                  27 /* a listener restarts and trusts the keys it had */

/* Each of these breaks a rule for streams. */
#define STREAM_GENERATION_AFTER    28 /* a stream's lookup notes the generation after it has found the record */
#define STREAM_MARKED_FIRST        29 /* an invalidation marks the stream, then evicts from the cache */
#define STREAM_KEPT                30 /* a listener restarts and does not mark the stream */
#define STREAM_WRITES_UNTRUSTED    31 /* a stream is written although the instance is not trusted */
#define STREAM_NOT_WAITED_FOR      32 /* marking does not wait for a write that has begun */

/* Each of these must be possible, or the model would prove nothing. Here "caught" means that it happens. */
#define WITNESS_HIT               101 /* a request is served from the cache */
#define WITNESS_NEW_HIT           102 /* the same after the last revocation was answered, with the newest version */
#define WITNESS_ACKNOWLEDGED      103 /* a revocation waited for an instance and is answered before a tick has passed */
#define WITNESS_TIMED_OUT         104 /* a revocation is answered although an instance never acknowledged it */
#define WITNESS_BACK              105 /* after a row was deleted its instance is trusted again */
#define WITNESS_KEY_HIT           106 /* a request with a scoped key is served from memory, with the newest version */
#define WITNESS_STREAM            107 /* a stream is written after the last revocation was answered */

#ifndef MUTANT
#define MUTANT 0
#endif
#define mutant(name) (MUTANT == name)
#ifndef KEYS
#define KEYS ((MUTANT >= KEYS_EVICTED_FIRST && MUTANT <= KEYS_KEPT) || mutant(WITNESS_KEY_HIT))
#endif
#ifndef STREAMS
#define STREAMS ((MUTANT >= STREAM_GENERATION_AFTER && MUTANT <= STREAM_NOT_WAITED_FOR) || mutant(WITNESS_STREAM))
#endif
#define never_if(name, what) assert(MUTANT != name || !(what))

/* ---- Postgres ---- */

/* Ids are fresh for ever, and each is a bit, so that a byte is a set of them. A bit serves again when its row and its
   listener are gone. If a revoker still waits for it then, NEVER takes its place, which no listener acknowledges. */
#define NEVER 128
byte listeners;                 /* the table: the rows that are there, */
byte gone;                      /* and those of them that are marked */

byte version = 1;               /* the record, as committed */

#define CHANGED 100             /* "the record changed"; any other number n is "sync" of revocation n */
byte queue[2 * REVOCATIONS];    /* all notifications in the order of their commits */
byte queued;
byte returned;                  /* the commits of those up to here have returned */

/* ---- Instances ---- */

#define WATCHED 0
#define NOTHING 0
byte id[INSTANCES];             /* the listener's id */
byte heard[INSTANCES];          /* how far into the queue its connection has brought it */
byte trust[INSTANCES];          /* ticks left until `trusted_until` */
byte due[INSTANCES];            /* ticks of trust the ping under way would bring by now; none is as good as no ping */
byte carries[INSTANCES];        /* its answer comes after the notifications up to here; 0 once they are applied */
byte cache;                     /* the version in the cache, or NOTHING */

#define NONE    0               /* no lookup is under way, or it died with its process */
#define CURRENT 1               /* `generation` is still what it noted */
#define MOVED   2
byte noted;
byte found;                     /* what its SELECT saw */

byte keys;                      /* the version in the cache of scoped keys, or NOTHING */
byte noted_key;                 /* as `noted`, for the lookup of a key */
byte found_key;                 /* the version of what it has so far */

byte stream;                    /* the version that the stream's last lookup found, or NOTHING */
bit marked = 1;                 /* whether a change was announced since, or it has just begun */
byte noted_stream;              /* as `noted`, for the lookup of the stream */
byte found_stream;
byte being_written;             /* only in STREAM_NOT_WAITED_FOR */

byte least;                     /* the request that is watched: what was answered when it started; 0 is no request */
byte taken;                     /* only in CACHE_BEFORE_TRUST */

/* ---- Revocations ---- */

byte answered = 1;              /* the newest version whose revocation has been answered */
byte wait[REVOCATIONS];         /* ticks left to wait */
byte missing[REVOCATIONS];      /* ids that have not acknowledged */
byte suspects[REVOCATIONS];     /* ids that had not when the time was up */
byte known;                     /* only in TABLE_NOT_READ: ids that have ever acknowledged */
bit swept;                      /* only in WITNESS_BACK: a row was deleted */

/* ---- What several of them do, always inside a d_step: nothing comes between ---- */

#if INSTANCES == 1
#define own id[0]
#elif INSTANCES == 2
#define own (id[0] | id[1])
#endif
#define in_use (listeners | own)
#define unused_id (~in_use & (in_use + 1))

/* After a row or a listener has gone. */
inline release_ids() {
  for (k : 0 .. REVOCATIONS - 1) {
    if
    :: missing[k] & ~in_use -> missing[k] = (missing[k] & in_use) | NEVER
    :: else
    fi;
    suspects[k] = suspects[k] & in_use
  }
  k = 0
}

inline notify(what) {
  queue[queued] = what;
  queued++
}

inline move_generation(i) {
  if
  :: i == WATCHED && noted == CURRENT -> noted = MOVED
  :: else
  fi
}

inline clear_cache(i) {
  if
  :: i == WATCHED -> cache = NOTHING
  :: else
  fi
}

inline move_key_generation(i) {
  if
  :: i == WATCHED && noted_key == CURRENT -> noted_key = MOVED
  :: else
  fi
}

inline clear_keys(i) {
  if
  :: i == WATCHED -> keys = NOTHING
  :: else
  fi
}

inline mark_stream(i) {
  if
  :: i == WATCHED ->
    marked = 1;
    if
    :: noted_stream == CURRENT -> noted_stream = MOVED
    :: else
    fi
  :: else
  fi
}

inline applied(i) {
  heard[i]++;
  if
  :: heard[i] >= carries[i] -> carries[i] = 0
  :: else
  fi
}

inline acknowledge(n, i) {
  missing[n] = missing[n] & ~id[i];
  if
  :: mutant(TABLE_NOT_READ) -> known = known | id[i]
  :: else
  fi
}

inline answer(n) {
  never_if(WITNESS_ACKNOWLEDGED, listeners > 0 && missing[n] == 0 && wait[n] == LEASE);
  never_if(WITNESS_TIMED_OUT, missing[n] > 0);
  if
  :: answered < n + 2 -> answered = n + 2
  :: else
  fi;
  suspects[n] = missing[n] & listeners;
  missing[n] = 0;
  wait[n] = 0
}

inline serve(what) {
  assert(what >= least);                                                /* the property */
  never_if(WITNESS_HIT, true);
  never_if(WITNESS_NEW_HIT, what == REVOCATIONS + 1 && answered == what);
  never_if(WITNESS_KEY_HIT, what == REVOCATIONS + 1 && answered == what)
}

inline write(what) {
  assert(what >= answered);                                             /* the property, for streams */
  never_if(WITNESS_STREAM, what == REVOCATIONS + 1 && answered == what)
}

inline forget_request() {
  least = 0;
  taken = NOTHING
}

/* ---- Who does it ---- */

/* The thread of instance i that owns its listening connection. */
proctype Listener(byte i) {
  byte k;

  do
  :: d_step {                                                           /* (re)starts: trusts nothing, LISTENs */
      trust[i] = 0;
      due[i] = 0;
      carries[i] = 0;
#if !mutant(LISTEN_AFTER_CLEAR)
      heard[i] = queued
#endif
    }
    d_step { (in_use & ~id[i]) != (1 << IDS) - 1 ->                     /* INSERTs a new id, DELETEs its old one */
      if
      :: mutant(SAME_ID_AGAIN) && id[i] != NOTHING -> gone = gone & ~id[i]
      :: else ->
        listeners = listeners & ~id[i];
        gone = gone & ~id[i];
        id[i] = NOTHING;
        release_ids();
        id[i] = unused_id
      fi;
      listeners = listeners | id[i]
    }
#if mutant(CLEARED_BEFORE_GENERATION)
    d_step { clear_cache(i) }
    d_step { move_generation(i) }
#elif !mutant(CACHE_KEPT)
    d_step { move_generation(i) }
    d_step { clear_cache(i) }
#endif
#if KEYS && !mutant(KEYS_KEPT)
    d_step { move_key_generation(i) }
    d_step { clear_keys(i) }
#endif
#if STREAMS && !mutant(STREAM_KEPT)
    d_step { mark_stream(i) }
#endif
#if mutant(LISTEN_AFTER_CLEAR)
    d_step { heard[i] = queued }
#endif

    do
    :: d_step { heard[i] < queued && queue[heard[i]] == CHANGED ->      /* a notification arrives and is applied */
#if mutant(REMOVED_BEFORE_GENERATION)
        clear_cache(i)
      }
      d_step { move_generation(i); applied(i) }
#elif mutant(KEYS_EVICTED_FIRST)
        move_key_generation(i)
      }
      d_step { clear_keys(i) }
      d_step { move_generation(i) }
      d_step { clear_cache(i); applied(i) }
#elif mutant(STREAM_MARKED_FIRST)
        mark_stream(i)
      }
      d_step { move_generation(i) }
      d_step { clear_cache(i); applied(i) }
#elif STREAMS
        move_generation(i)
      }
      d_step { clear_cache(i) }
      d_step { mark_stream(i); applied(i) }                             /* waits for a write that has begun */
#elif KEYS
        move_generation(i)
      }
      d_step { clear_cache(i) }
      d_step { move_key_generation(i) }
      d_step { clear_keys(i); applied(i) }
#else
        move_generation(i)
      }
      d_step { clear_cache(i); applied(i) }
#endif
    :: d_step { heard[i] < queued && queue[heard[i]] != CHANGED ->      /* a sync arrives and is acknowledged; when */
        acknowledge(queue[heard[i]], i);                                /* that arrives is up to the revoker */
        applied(i)
      }
    :: d_step { mutant(ACKNOWLEDGED_AHEAD) && heard[i] + 1 < queued && queue[heard[i] + 1] != CHANGED ->
        acknowledge(queue[heard[i] + 1], i)
      }

    /* A ping that looked at the row later could only find less, so here it looks when it is sent. One that finds
       nothing makes the listener restart, which it may do at any time. Trust matters only where requests are watched. */
    :: d_step { i == WATCHED && due[i] == 0 && ((listeners & ~gone & id[i]) || mutant(ROW_NOT_LOOKED_AT)) ->
        due[i] = LEASE;
        carries[i] = (mutant(PING_OVERTAKES) || heard[i] >= returned -> 0 : returned)
      }
    :: d_step { due[i] > 0 && (carries[i] == 0 || mutant(TRUST_BEFORE_APPLYING)) ->
        trust[i] = (mutant(TRUST_FROM_ANSWER) -> LEASE : due[i]);       /* its answer is in */
        due[i] = 0;
        carries[i] = 0;
        never_if(WITNESS_BACK, swept)
      }

    :: d_step { mutant(LEFT_WHILE_TRUSTING) -> listeners = listeners & ~id[i] }

    :: break                                                            /* the connection is lost */
    :: d_step {                                                         /* the process dies and another one starts; */
        id[i] = NOTHING;                                                /* its row stays behind */
        release_ids();
        trust[i] = 0;
        if
        :: i == WATCHED ->
          cache = NOTHING;
          noted = NONE;
          keys = NOTHING;
          noted_key = NONE;
          stream = NOTHING;
          marked = 1;
          noted_stream = NONE;
          forget_request()
        :: else
        fi
      }
      break
    od
  od
}

/* A miss. It may begin at any time; who asked makes no difference. */
proctype Lookup() {
  do
  :: d_step { noted = CURRENT }                                         /* reads `generation` */
    d_step {                                                            /* the snapshot of its SELECT */
      found = version;
      assert(found >= answered)                                         /* for all who have joined until now */
    }
#if mutant(GENERATION_AFTER_SELECT)
    d_step { noted = (noted == MOVED -> CURRENT : noted) }
#endif
    d_step {                                                            /* under the cache's lock */
      if
      :: noted == CURRENT || (mutant(INSERT_UNCHECKED) && noted == MOVED) -> cache = found
      :: else
      fi;
      noted = NONE;
      found = NOTHING
    }
  od
}

/* A miss of a scoped key. One that shares a lookup joined before it began. */
proctype KeyLookup() {
  byte since;

  do
  :: d_step { noted_key = CURRENT }                                     /* reads the generation of the keys */
    d_step {                                                            /* the snapshot of its SELECT */
      found_key = version;
      assert(found_key >= answered)
    }
    if
    :: d_step { trust[WATCHED] > 0 || mutant(SESSION_TAKEN_UNTRUSTED) ->
        since = answered                                                /* checks the trust, */
      }
      d_step {                                                          /* then takes the session in memory, if it is */
        if                                                              /* there, else reads it, which is no older */
        :: cache != NOTHING ->
          assert(cache >= since);
          found_key = (cache < found_key -> cache : found_key)
        :: else
        fi;
        since = 0
      }
    :: skip                                                             /* reads the session */
    fi;
#if mutant(KEY_GENERATION_AFTER)
    d_step { noted_key = (noted_key == MOVED -> CURRENT : noted_key) }
#endif
    d_step {                                                            /* under the cache's lock */
      if
      :: noted_key == CURRENT || (mutant(KEY_INSERTED_UNCHECKED) && noted_key == MOVED) -> keys = found_key
      :: else
      fi;
      noted_key = NONE;
      found_key = NOTHING
    }
  od
}

/* A response that lasts. It begins marked. */
proctype Stream() {
  do
  :: d_step { marked -> noted_stream = CURRENT }                        /* reads its generation */
    if
    :: d_step { trust[WATCHED] > 0 -> found_stream = NOTHING }          /* checks the trust, */
      d_step { found_stream = (cache != NOTHING -> cache : version) }   /* then looks into the cache, or reads */
    :: d_step { found_stream = version }                                /* reads */
    fi;
#if mutant(STREAM_GENERATION_AFTER)
    d_step { noted_stream = (noted_stream == MOVED -> CURRENT : noted_stream) }
#endif
    d_step {                                                            /* goes on, if nothing was announced since */
      if
      :: noted_stream == CURRENT ->
        marked = 0;
        stream = found_stream
      :: else
      fi;
      noted_stream = NONE;
      found_stream = NOTHING
    }
#if mutant(STREAM_NOT_WAITED_FOR)
  :: d_step { !marked && stream != NOTHING && trust[WATCHED] > 0 -> being_written = stream }
    d_step { write(being_written); being_written = NOTHING }
#else
  :: d_step { !marked && stream != NOTHING && (trust[WATCHED] > 0 || mutant(STREAM_WRITES_UNTRUSTED)) ->
      write(stream)
    }
#endif
  od
}

#if KEYS
#define entry keys
#else
#define entry cache
#endif

/* Requests that may use the cache. One that may not, or finds nothing in it, joins a lookup, or begins one. Before the
   first answer there is nothing to watch. */
proctype Requests() {
  do
#if !mutant(CACHE_BEFORE_TRUST)
  :: d_step { least == 0 && (answered > 1 || mutant(WITNESS_HIT)) && trust[WATCHED] > 0 ->
      least = answered                                                  /* starts, reads the clock */
    }
  :: d_step { least > 0 ->                                              /* looks into the cache */
      if
      :: entry != NOTHING -> serve(entry)
      :: else
      fi;
      forget_request()
    }
#else
  :: d_step { least == 0 && answered > 1 && cache != NOTHING ->
      least = answered;
      taken = cache
    }
  :: d_step { least > 0 ->
      if
      :: trust[WATCHED] > 0 -> serve(taken)
      :: else
      fi;
      forget_request()
    }
#endif
  :: d_step { mutant(JOINED_LATE) && found != NOTHING -> assert(found >= answered) }
  od
}

/* Revocation n. They are numbered in the order of their commits. */
proctype Revoker(byte n) {
  byte mark;                    /* where its notification is in the queue */
  byte k;

  version == n + 1;
#if mutant(WAIT_FROM_BEFORE_COMMIT)
  wait[n] = LEASE;
#elif mutant(TABLE_READ_BEFORE_COMMIT)
  missing[n] = listeners;
#endif
  d_step {                                                              /* commits: others can see it now, */
    version++;
    notify(CHANGED);
    mark = queued
  }
  d_step {                                                              /* but only now has the commit returned */
    if
    :: returned < mark -> returned = mark
    :: else
    fi;
    mark = 0;
#if !mutant(WAIT_FROM_BEFORE_COMMIT)
    wait[n] = LEASE
#endif
  }
  if
  :: d_step {                                                           /* reads who is there and says sync, at once */
      notify(n);
#if mutant(TABLE_NOT_READ)
      missing[n] = known
#elif mutant(GONE_NOT_WAITED_FOR)
      missing[n] = listeners & ~gone
#elif !mutant(TABLE_READ_BEFORE_COMMIT)
      missing[n] = listeners
#endif
    }
    d_step { missing[n] == 0 || wait[n] == 0 -> answer(n) }             /* all have acknowledged or lost their trust */
  :: d_step { wait[n] == 0 -> answer(n) }                               /* it has no listener that works */
  fi;

  d_step { suspects[n] > 0 ->                                           /* marks those it waited for in vain, */
    gone = gone | (suspects[n] & listeners);
    wait[n] = (mutant(DELETED_AT_ONCE) -> 0 : LEASE)
  }
  d_step { wait[n] == 0 ->                                              /* and deletes them */
    swept = mutant(WITNESS_BACK) && (suspects[n] & own);
    listeners = listeners & ~suspects[n];
    gone = gone & ~suspects[n];
    suspects[n] = 0;
    release_ids()
  }
}

/* Time passes for all. */
proctype Clock() {
  byte k;
  bit suspended;

  do
  :: d_step {
      for (k : 0 .. INSTANCES - 1) {
        if
        :: trust[k] > 0 && !suspended -> trust[k]--
        :: else
        fi;
        if
        :: due[k] > 1 && !suspended -> due[k]--
        :: due[k] == 1 && !suspended ->
          due[k] = 0;
          carries[k] = 0
        :: else
        fi
      }
      for (k : 0 .. REVOCATIONS - 1) {
        if
        :: wait[k] > 0 -> wait[k]--
        :: else
        fi
      }
      k = 0
    }
  :: d_step { mutant(CLOCK_STANDS_STILL) -> suspended = !suspended }
  :: d_step { mutant(TABLE_UNLOGGED) ->
      listeners = 0;
      gone = 0;
      release_ids()
    }
  od
}

init {
  byte k;
  atomic {
    for (k : 0 .. INSTANCES - 1) {
      run Listener(k)
    }
    run Lookup();
#if KEYS
    run KeyLookup();
#endif
#if STREAMS
    run Stream();
#endif
    run Requests();
    for (k : 0 .. REVOCATIONS - 1) {
      run Revoker(k)
    }
    run Clock();
    k = 0
  }
}
