-- Orders, and the outbox: what is to be told to the broker is written in the transaction of the order.
CREATE TABLE orders (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    item TEXT NOT NULL,
    cents BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL
);
CREATE INDEX orders_of_tenant ON orders (tenant);

-- `state` is `pending`, `delivered` or `parked`: a parked message was refused by the broker, and is left to a person.
CREATE TABLE outbox (
    order_id TEXT NOT NULL PRIMARY KEY,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    claimed_by TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    settled_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (state, next_at);
