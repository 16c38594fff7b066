-- A report of all orders for each tick, made by one replica.
CREATE TABLE reports (
    tick BIGINT NOT NULL PRIMARY KEY,
    orders BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    token BIGINT NOT NULL
);
