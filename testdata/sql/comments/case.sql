-- Comments of tables and columns: quotes, newlines, non-ASCII text, and the longest the server allows.
SET NAMES utf8mb4;
CREATE TABLE commented (
  id INT PRIMARY KEY COMMENT 'the key', q INT COMMENT 'it''s "quoted" and back\\slashed', n INT COMMENT 'line one\nline two\r\nline three\ttabbed', u VARCHAR(10) COMMENT 'žluťoučký 日本語', none INT, `empty` INT COMMENT '',
  j INT COMMENT '{"json": ["\\u0041", null]}', spaces INT COMMENT '  around  ', html INT COMMENT '<b>&amp;</b> %s %d ${x} `tick` -- dash /* star */',
  nn DECIMAL(10,2) NOT NULL COMMENT 'amount, in €', g INT AS (q + 1) VIRTUAL COMMENT 'made of q'
) COMMENT = 'it''s a "table"\nof two lines — 日本語' DEFAULT CHARSET = utf8mb4;
INSERT INTO commented (id, q, nn) VALUES (1, 1, 1), (2, NULL, 2);
SET @long = REPEAT('long ', 204);
SET @ddl = CONCAT('CREATE TABLE longest (id INT PRIMARY KEY COMMENT ''', @long, ''') COMMENT = ''', @long, @long, '''');
PREPARE s FROM @ddl;
EXECUTE s;
DEALLOCATE PREPARE s;
INSERT INTO longest VALUES (1);
