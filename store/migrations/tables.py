"""The statements of each migration, in the order of the versions. None is edited once it was released."""

# Curves and Q-value logs lie in tables of their own: the trial table stays small enough to be searched and paged in
# milliseconds. `q_update` holds what one trial wrote; `states` and `transitions` count how many exist after it.
VERSION_1 = """
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trial (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  ordinal INTEGER NOT NULL UNIQUE CHECK (ordinal > 0),
  net TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('evaluated', 'early_stopped', 'duplicate', 'infeasible', 'failed')),
  epsilon REAL NOT NULL,
  reward REAL NOT NULL,
  counted INTEGER NOT NULL CHECK (counted IN (0, 1)),
  duplicate_of INTEGER REFERENCES trial (number),
  reason TEXT,
  seed TEXT,
  best_validation REAL,
  test_accuracy REAL,
  embedding_dim INTEGER,
  micro_batch INTEGER,
  imported INTEGER NOT NULL CHECK (imported IN (0, 1)),
  finished_at REAL NOT NULL,
  seconds REAL NOT NULL,
  encode_seconds REAL NOT NULL,
  train_seconds REAL NOT NULL,
  peak_memory INTEGER NOT NULL,
  device TEXT NOT NULL,
  embedding TEXT UNIQUE
) STRICT;
CREATE INDEX trial_reward ON trial (reward);
CREATE INDEX trial_best_validation ON trial (best_validation);
CREATE INDEX trial_test_accuracy ON trial (test_accuracy);
CREATE INDEX trial_seconds ON trial (seconds);
CREATE INDEX trial_finished_at ON trial (finished_at);
CREATE INDEX trial_status ON trial (status);
CREATE INDEX trial_duplicate_of ON trial (duplicate_of);

CREATE TABLE curves (
  number INTEGER PRIMARY KEY REFERENCES trial (number),
  validation BLOB NOT NULL,
  train BLOB NOT NULL
) STRICT;

CREATE TABLE state (
  id INTEGER PRIMARY KEY,
  layer_type TEXT NOT NULL,
  layer_depth INTEGER NOT NULL,
  filter_depth INTEGER NOT NULL,
  filter_size INTEGER NOT NULL,
  stride INTEGER NOT NULL,
  padding INTEGER NOT NULL,
  image_size INTEGER NOT NULL,
  fc_size INTEGER NOT NULL,
  terminate INTEGER NOT NULL CHECK (terminate IN (0, 1))
) STRICT;

CREATE TABLE transition (
  id INTEGER PRIMARY KEY,
  state INTEGER NOT NULL REFERENCES state (id),
  action INTEGER NOT NULL REFERENCES state (id)
) STRICT;

CREATE TABLE q_update (
  ordinal INTEGER PRIMARY KEY REFERENCES trial (ordinal),
  path BLOB NOT NULL,
  q_ids BLOB NOT NULL,
  q_values BLOB NOT NULL,
  states INTEGER NOT NULL,
  transitions INTEGER NOT NULL
) STRICT;

CREATE TABLE proposal (
  number INTEGER PRIMARY KEY,
  net TEXT NOT NULL,
  epsilon REAL NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('evaluate', 'duplicate', 'infeasible')),
  reason TEXT,
  opened_after INTEGER NOT NULL
) STRICT;

CREATE TABLE position (
  after INTEGER PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  params TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  priority INTEGER NOT NULL,
  progress REAL NOT NULL,
  result TEXT,
  reason TEXT,
  created_at REAL NOT NULL,
  started_at REAL,
  finished_at REAL
) STRICT;

CREATE TABLE flag (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Outcomes that wait for their turn to be observed: an evaluation that finished before one that was proposed earlier.
VERSION_2 = """
CREATE TABLE arrived (
  number INTEGER PRIMARY KEY REFERENCES proposal (number),
  outcome TEXT NOT NULL
) STRICT;
"""

# Hashes over what was committed (see `store.seal`); `proposals` is the number of the newest proposal by then.
VERSION_3 = """
CREATE TABLE seal (
  ordinal INTEGER PRIMARY KEY,
  proposals INTEGER NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE table_seal (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

# What else was measured of a trial, as JSON; only where there is something.
VERSION_4 = """
CREATE TABLE metrics (
  number INTEGER PRIMARY KEY REFERENCES trial (number),
  value TEXT NOT NULL
) STRICT;
"""

# What was learned is opaque. `learned.ordinal` is how many trials had been observed by then, `number` the trial that it
# was learned from (NULL: it was thought out without one); a file belongs to the payload that it came with, and is gone
# when `kept` is 0. `seal.learned` is the hash over the payloads of one ordinal, as far as there are any by now. What a
# strategy wants to show of a trial is `stage` and `facts`, as JSON.
VERSION_5 = """
CREATE TABLE learned (
  id INTEGER PRIMARY KEY,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  number INTEGER REFERENCES trial (number),
  payload BLOB NOT NULL
) STRICT;
CREATE INDEX learned_ordinal ON learned (ordinal);

CREATE TABLE blob (
  name TEXT PRIMARY KEY,
  learned INTEGER NOT NULL REFERENCES learned (id),
  sha256 TEXT NOT NULL,
  kept INTEGER NOT NULL CHECK (kept IN (0, 1))
) STRICT;
CREATE INDEX blob_learned ON blob (learned);
CREATE INDEX blob_kept ON blob (name) WHERE kept;

ALTER TABLE seal ADD COLUMN learned BLOB NOT NULL DEFAULT x'';

ALTER TABLE trial ADD COLUMN stage TEXT NOT NULL DEFAULT '';
ALTER TABLE trial ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
ALTER TABLE proposal ADD COLUMN stage TEXT NOT NULL DEFAULT '';
ALTER TABLE proposal ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
"""
