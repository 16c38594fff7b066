CREATE TABLE IF NOT EXISTS {schema}.migration (
    version integer PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A session of a process. A session without a row is expired, as one that is dead.
-- Renewals write here, and no column that they change has an index, so that they stay within their page.
CREATE TABLE IF NOT EXISTS {schema}.session (
    id uuid PRIMARY KEY,
    fleet text NOT NULL,
    label text NOT NULL,
    ttl interval NOT NULL,
    expires_at timestamptz NOT NULL,
    dead boolean NOT NULL DEFAULT false,
    -- How often the session has taken or freed keys. Its process knows the number, too: a server that knows of fewer
    -- times has lost some in a failover, and ends the session.
    changes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- A key, its last token and its last tick. Rows stay for ever, so that tokens grow for ever.
-- It is free if it has no session, or a dead one.
CREATE TABLE IF NOT EXISTS {schema}.lease (
    fleet text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    session uuid,
    token bigint NOT NULL DEFAULT 0,
    tick numeric(20, 0),
    wanted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (fleet, key)
) WITH (fillfactor = 80);

CREATE INDEX IF NOT EXISTS lease_session ON {schema}.lease (session) WHERE session IS NOT NULL;

-- Every call of a store is one of these functions, and so one statement, one round trip and one transaction.
-- They are written for READ COMMITTED, where each statement in them sees what was committed before it began:
-- a row is locked by one statement, and what follows from it is read by the next.
--
-- Locks of sessions: a call of the session itself takes KEY SHARE, which no renewal waits for; whoever ends the session
-- takes FOR UPDATE. So a session is not ended in the middle of its own call.
-- No call waits for the session of another (SKIP LOCKED), and rows of leases are waited for in the order of their keys.

-- Returns the fleet of a live session, which stays live until the end of the transaction. NULL: it is expired.
CREATE OR REPLACE FUNCTION {schema}.live_1(p_session uuid, p_changes bigint) RETURNS text
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_fleet text;
BEGIN
    PERFORM FROM session s WHERE s.id = p_session FOR KEY SHARE;
    SELECT s.fleet INTO v_fleet FROM session s
        WHERE s.id = p_session AND NOT s.dead AND s.expires_at > clock_timestamp() AND s.changes >= p_changes;
    -- What a commit has answered must outlive a crash of the server.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'local', true);
    END IF;
    RETURN v_fleet;
END
$taskvisor$;

CREATE OR REPLACE FUNCTION {schema}.micros_1(p_at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $taskvisor$
    SELECT (extract(epoch FROM p_at) * 1000000)::bigint
$taskvisor$;

-- Tells those who listen that a key may be free.
CREATE OR REPLACE FUNCTION {schema}.freed_1(p_fleet text) RETURNS void
LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $taskvisor$
BEGIN
    PERFORM pg_notify(current_schema(), CASE WHEN octet_length(p_fleet) < 4000 THEN p_fleet ELSE '' END);
END
$taskvisor$;

-- Counts a change of what a session owns, and returns the number of changes.
CREATE OR REPLACE FUNCTION {schema}.changed_1(p_session uuid, p_is_changed boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_changes bigint;
BEGIN
    IF p_is_changed THEN
        UPDATE session s SET changes = s.changes + 1 WHERE s.id = p_session RETURNING s.changes INTO v_changes;
    ELSE
        SELECT s.changes INTO v_changes FROM session s WHERE s.id = p_session;
    END IF;
    RETURN v_changes;
END
$taskvisor$;

-- Opens a session, and forgets some that ended a day ago.
CREATE OR REPLACE FUNCTION {schema}.open_1(p_session uuid, p_fleet text, p_label text, p_ttl interval) RETURNS void
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
BEGIN
    INSERT INTO session (id, fleet, label, ttl, expires_at)
        VALUES (p_session, p_fleet, p_label, p_ttl, clock_timestamp() + p_ttl)
        ON CONFLICT (id) DO NOTHING;
    DELETE FROM session WHERE id IN (
        SELECT s.id FROM session s WHERE s.expires_at < clock_timestamp() - interval '1 day'
        LIMIT 100 FOR UPDATE SKIP LOCKED);
END
$taskvisor$;

-- Returns the time in microseconds. NULL: the session is expired.
CREATE OR REPLACE FUNCTION {schema}.renew_1(p_session uuid, p_changes bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_session session;
    v_now timestamptz;
BEGIN
    SELECT * INTO v_session FROM session s WHERE s.id = p_session FOR NO KEY UPDATE;
    -- The clock is read after the lock, however long that took.
    v_now := clock_timestamp();
    IF v_session.id IS NULL OR v_session.dead OR v_session.expires_at <= v_now OR v_session.changes < p_changes THEN
        RETURN NULL;
    END IF;
    UPDATE session s SET expires_at = v_now + s.ttl WHERE s.id = p_session;
    RETURN micros_1(v_now);
END
$taskvisor$;

-- Returns, in the order of the keys, the tokens of those that the session owns, their ticks, and the labels of the
-- owners of the others. No row: the session is expired.
CREATE OR REPLACE FUNCTION {schema}.acquire_1(p_session uuid, p_changes bigint, p_keys text[])
RETURNS TABLE (now_micros bigint, changes_now bigint, tokens bigint[], ticks text[], owners text[])
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_fleet text := live_1(p_session, p_changes);
    v_locked text[];
    v_gone uuid[];
    v_micros bigint;
    v_taken bigint := 0;
BEGIN
    IF v_fleet IS NULL THEN
        RETURN;
    END IF;
    -- Rows of new keys, in the order of keys: this waits for others that add the same.
    INSERT INTO lease (fleet, key)
        SELECT v_fleet, k.key FROM (SELECT DISTINCT u.key COLLATE "C" AS key FROM unnest(p_keys) u (key)) k
        WHERE NOT EXISTS (SELECT FROM lease l WHERE l.fleet = v_fleet AND l.key = k.key)
        ORDER BY k.key
        ON CONFLICT DO NOTHING;
    -- Locks what may be free, or has yet to be marked as wanted. A row that is locked belongs to somebody who takes it
    -- now, or to the transaction of an owner that has called `check`: it is busy.
    SELECT array_agg(q.key) INTO v_locked FROM (
        SELECT l.key FROM lease l
        WHERE l.fleet = v_fleet AND l.key = ANY (p_keys) AND l.session IS DISTINCT FROM p_session
            AND (NOT l.wanted OR NOT EXISTS (
                SELECT FROM session s WHERE s.id = l.session AND NOT s.dead AND s.expires_at > clock_timestamp()))
        ORDER BY l.key FOR NO KEY UPDATE OF l SKIP LOCKED) q;
    IF v_locked IS NOT NULL THEN
        -- First ends the owners whose time is over. A session that is locked is in a call, or is being ended.
        SELECT array_agg(q.id) INTO v_gone FROM (
            SELECT s.id FROM session s
            WHERE s.id IN (SELECT l.session FROM lease l WHERE l.fleet = v_fleet AND l.key = ANY (v_locked))
                AND NOT s.dead AND s.expires_at <= clock_timestamp()
            FOR UPDATE OF s SKIP LOCKED) q;
        UPDATE session s SET dead = true WHERE s.id = ANY (v_gone);
        -- Then takes what has no owner any more. `dead` never turns back, so what this sees holds.
        v_micros := micros_1(clock_timestamp());
        UPDATE lease l SET session = p_session, token = greatest(l.token + 1, v_micros), wanted = false
            WHERE l.fleet = v_fleet AND l.key = ANY (v_locked)
                AND NOT EXISTS (SELECT FROM session s WHERE s.id = l.session AND NOT s.dead);
        GET DIAGNOSTICS v_taken = ROW_COUNT;
        UPDATE lease l SET wanted = true
            WHERE l.fleet = v_fleet AND l.key = ANY (v_locked) AND NOT l.wanted AND l.session <> p_session;
        IF EXISTS (SELECT FROM lease l WHERE l.session = ANY (v_gone) AND l.wanted) THEN
            PERFORM freed_1(v_fleet);
        END IF;
    END IF;
    RETURN QUERY
        SELECT micros_1(clock_timestamp()), changed_1(p_session, v_taken > 0),
            coalesce(array_agg(CASE WHEN l.session = p_session THEN l.token END ORDER BY k.n), '{}'),
            coalesce(array_agg(l.tick::text ORDER BY k.n), '{}'),
            coalesce(array_agg(CASE WHEN NOT s.dead THEN s.label END ORDER BY k.n), '{}')
        FROM unnest(p_keys) WITH ORDINALITY k (key, n)
        LEFT JOIN lease l ON l.fleet = v_fleet AND l.key = k.key
        LEFT JOIN session s ON s.id = l.session;
END
$taskvisor$;

-- Returns the number of changes. NULL: the session is expired.
CREATE OR REPLACE FUNCTION {schema}.release_1(p_session uuid, p_changes bigint, p_keys text[], p_tokens bigint[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_fleet text := live_1(p_session, p_changes);
    v_locked text[];
    v_wanted boolean;
BEGIN
    IF v_fleet IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(q.key), bool_or(q.wanted) INTO v_locked, v_wanted FROM (
        SELECT l.key, l.wanted FROM lease l
        WHERE l.fleet = v_fleet AND l.key = ANY (p_keys) AND l.session = p_session
            AND (l.key, l.token) IN (SELECT h.key, h.token FROM unnest(p_keys, p_tokens) h (key, token))
        ORDER BY l.key FOR NO KEY UPDATE OF l) q;
    UPDATE lease l SET session = NULL, wanted = false WHERE l.fleet = v_fleet AND l.key = ANY (v_locked);
    IF v_wanted THEN
        PERFORM freed_1(v_fleet);
    END IF;
    RETURN changed_1(p_session, v_locked IS NOT NULL);
END
$taskvisor$;

-- Returns whether the tick was stored. NULL: the session is expired.
CREATE OR REPLACE FUNCTION {schema}.mark_1(p_session uuid, p_changes bigint, p_key text, p_token bigint, p_tick numeric)
RETURNS boolean
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_fleet text := live_1(p_session, p_changes);
BEGIN
    IF v_fleet IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE lease l SET tick = p_tick
        WHERE l.fleet = v_fleet AND l.key = p_key AND l.session = p_session AND l.token = p_token
            AND (l.tick IS NULL OR l.tick < p_tick);
    RETURN FOUND;
END
$taskvisor$;

-- Ends a session. Its keys are free by that; the rows are tidied up as far as nobody has locked them.
CREATE OR REPLACE FUNCTION {schema}.close_1(p_session uuid) RETURNS void
LANGUAGE plpgsql SET search_path = {schema}, pg_temp SET lock_timeout = '2s' AS $taskvisor$
DECLARE
    v_fleet text;
    v_locked text[];
    v_wanted boolean;
BEGIN
    PERFORM FROM session s WHERE s.id = p_session FOR UPDATE;
    UPDATE session s SET dead = true WHERE s.id = p_session AND NOT s.dead RETURNING s.fleet INTO v_fleet;
    IF v_fleet IS NULL THEN
        RETURN;
    END IF;
    v_wanted := EXISTS (SELECT FROM lease l WHERE l.session = p_session AND l.wanted);
    SELECT array_agg(q.key) INTO v_locked FROM (
        SELECT l.key FROM lease l WHERE l.session = p_session ORDER BY l.key FOR NO KEY UPDATE SKIP LOCKED) q;
    UPDATE lease l SET session = NULL, wanted = false WHERE l.fleet = v_fleet AND l.key = ANY (v_locked);
    IF v_wanted THEN
        PERFORM freed_1(v_fleet);
    END IF;
END
$taskvisor$;

INSERT INTO {schema}.migration (version) VALUES (1) ON CONFLICT DO NOTHING;
