-- The sample database: a shop with customers, products, orders and what they
-- did on its site, some 300,000 rows, the same on every run. Names that repeat
-- come from short lists, numbers from CRC32 of the row's own number.
-- For MySQL 8 or later and MariaDB 10.6 or later.

SET SESSION sql_mode = '';
SET SESSION time_zone = '+00:00';
SET NAMES utf8mb4;
DROP TABLE IF EXISTS numbers, customers, products, order_items, orders, events, every_type;

-- Numbers from 0 up to 99,999 to make rows of. While this table is there, the
-- database is not complete.
CREATE TABLE numbers (n INT PRIMARY KEY) COMMENT = 'tablehaul demo, loading';
INSERT INTO numbers VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
INSERT INTO numbers SELECT a.n + 10 * b.n FROM numbers a, numbers b WHERE b.n > 0;
INSERT INTO numbers SELECT a.n + 100 * b.n FROM numbers a, numbers b WHERE b.n > 0 AND b.n < 10;
INSERT INTO numbers SELECT a.n + 1000 * b.n FROM numbers a, numbers b WHERE b.n > 0 AND b.n < 100;

CREATE TABLE customers (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(60) NOT NULL,
  email VARCHAR(80) NOT NULL,
  city VARCHAR(40) NOT NULL,
  country CHAR(2) NOT NULL COMMENT 'ISO 3166',
  joined DATE NOT NULL,
  points INT UNSIGNED NOT NULL DEFAULT 0,
  newsletter BIT(1) NOT NULL,
  KEY (country)
) CHARACTER SET utf8mb4 COMMENT = 'everybody who ever bought something';
INSERT INTO customers
SELECT n + 1, CONCAT(first, ' ', last), CONCAT(LOWER(first), '.', n + 1, '@example.com'),
  ELT(place, 'Oslo', 'Lyon', 'Kraków', 'Sevilla', 'Hamburg', '京都', 'Montréal', 'Denver', 'São Paulo', 'Αθήνα'),
  ELT(place, 'NO', 'FR', 'PL', 'ES', 'DE', 'JP', 'CA', 'US', 'BR', 'GR'),
  DATE '2019-03-01' + INTERVAL r MOD 2100 DAY, r MOD 5000, r MOD 3 = 0
FROM (
  SELECT n, CRC32(CONCAT('customer', n)) AS r,
    ELT(1 + CRC32(CONCAT('f', n)) MOD 16, 'Ada', 'Bruno', 'Chloe', 'Dmitri', 'Elif', 'Farid', 'Greta', 'Hiro',
      'Ines', 'Jonas', 'Keiko', 'Lena', 'Mateo', 'Nora', 'Oscar', 'Priya') AS first,
    ELT(1 + CRC32(CONCAT('l', n)) MOD 14, 'Almeida', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia',
      'Haddad', 'Ito', 'Jensen', 'Kowalski', 'Larsen', 'Moreau', 'Nakamura') AS last,
    1 + CRC32(CONCAT('c', n)) MOD 10 AS place
  FROM numbers WHERE n < 20000
) x;

CREATE TABLE products (
  id SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  sku CHAR(8) NOT NULL UNIQUE,
  name VARCHAR(80) NOT NULL,
  category ENUM('kitchen', 'garden', 'office', 'toys') NOT NULL,
  price DECIMAL(10, 2) NOT NULL,
  weight_kg FLOAT NOT NULL,
  traits SET('new', 'sale', 'fragile', 'handmade') NOT NULL,
  details JSON NOT NULL
) CHARACTER SET utf8mb4;
INSERT INTO products
SELECT n + 1, CONCAT('SKU', LPAD(n + 1, 5, '0')), CONCAT(
    ELT(1 + r MOD 8, 'Oak', 'Steel', 'Linen', 'Copper', 'Bamboo', 'Glass', 'Wool', 'Marble'), ' ',
    ELT(1 + n MOD 20, 'teapot', 'skillet', 'cutting board', 'mug', 'whisk', 'planter', 'watering can', 'lantern', 'bench', 'bird house',
      'desk lamp', 'notebook', 'pen holder', 'clock', 'paperweight', 'puzzle', 'spinning top', 'kite', 'train set', 'chess set')),
  1 + n MOD 20 DIV 5, 3 + r MOD 19900 / 100, 0.05 + r MOD 900 / 100, r MOD 16,
  JSON_OBJECT('made_in', ELT(1 + r MOD 4, 'PT', 'JP', 'DE', 'VN'), 'stock', r MOD 500)
FROM (SELECT n, CRC32(CONCAT('product', n)) AS r FROM numbers WHERE n < 800) x;

CREATE TABLE order_items (
  order_id BIGINT UNSIGNED NOT NULL,
  line TINYINT UNSIGNED NOT NULL,
  product_id SMALLINT UNSIGNED NOT NULL,
  quantity SMALLINT NOT NULL,
  price DECIMAL(10, 2) NOT NULL COMMENT 'at the time of the order',
  PRIMARY KEY (order_id, line)
);
INSERT INTO order_items
SELECT o.n + 1, l.n + 1, p.id, 1 + CRC32(CONCAT('q', o.n, l.n)) MOD 4, p.price
FROM numbers o
JOIN numbers l ON l.n <= CRC32(CONCAT('lines', o.n)) MOD 3
JOIN products p ON p.id = 1 + CRC32(CONCAT('p', o.n, l.n)) MOD 800
WHERE o.n < 80000 AND l.n < 3;

CREATE TABLE orders (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('new', 'paid', 'sent', 'returned') NOT NULL,
  placed_at DATETIME(3) NOT NULL,
  paid_at TIMESTAMP NULL,
  total DECIMAL(12, 2) NOT NULL,
  KEY (customer_id)
);
INSERT INTO orders
SELECT id, 1 + r MOD 20000, status, placed,
  CASE WHEN status = 'new' THEN NULL ELSE placed + INTERVAL 1 + r MOD 90 MINUTE END, total
FROM (
  SELECT order_id AS id, SUM(quantity * price) AS total, CRC32(CONCAT('order', order_id)) AS r,
    ELT(1 + CRC32(CONCAT('s', order_id)) MOD 8, 'paid', 'sent', 'sent', 'sent', 'sent', 'sent', 'returned', 'new') AS status,
    TIMESTAMP '2025-01-01 00:00:00' + INTERVAL order_id * 430 + CRC32(CONCAT('t', order_id)) MOD 400 SECOND
      + INTERVAL CRC32(CONCAT('ms', order_id)) MOD 1000 * 1000 MICROSECOND AS placed
  FROM order_items GROUP BY order_id
) x;

-- A table without a key, as logs often are.
CREATE TABLE events (
  happened_at DATETIME(6) NOT NULL,
  customer_id INT UNSIGNED NULL,
  kind VARCHAR(20) NOT NULL,
  page VARCHAR(120) NOT NULL,
  details JSON NULL
) CHARACTER SET utf8mb4 COMMENT = 'what happened on the site';
INSERT INTO events
SELECT TIMESTAMP '2026-01-01 00:00:00' + INTERVAL n * 17 SECOND + INTERVAL r MOD 1000000 MICROSECOND,
  CASE WHEN r MOD 4 = 0 THEN NULL ELSE 1 + r MOD 20000 END,
  ELT(1 + r MOD 5, 'view', 'view', 'search', 'cart', 'login'),
  CONCAT('/', ELT(1 + r MOD 4, 'kitchen', 'garden', 'office', 'toys'), '/', 1 + r MOD 800),
  CASE WHEN r MOD 5 = 2 THEN JSON_OBJECT('q', ELT(1 + r MOD 3, 'teapot', '茶碗', 'kite'), 'hits', r MOD 40) END
FROM (SELECT n, CRC32(CONCAT('event', n)) AS r FROM numbers WHERE n < 40000) x;

CREATE TABLE every_type (
  id INT NOT NULL PRIMARY KEY,
  c_tinyint TINYINT, c_tinyint_unsigned TINYINT UNSIGNED, c_bool BOOLEAN,
  c_smallint SMALLINT, c_smallint_unsigned SMALLINT UNSIGNED,
  c_mediumint MEDIUMINT, c_mediumint_unsigned MEDIUMINT UNSIGNED,
  c_int INT, c_int_unsigned INT UNSIGNED,
  c_bigint BIGINT, c_bigint_unsigned BIGINT UNSIGNED,
  c_decimal DECIMAL(10, 2), c_decimal_38 DECIMAL(38, 10), c_decimal_65 DECIMAL(65, 30),
  c_float FLOAT, c_double DOUBLE,
  c_bit_1 BIT(1), c_bit_10 BIT(10), c_bit_64 BIT(64),
  c_year YEAR, c_date DATE, c_time TIME(6), c_datetime DATETIME(6), c_timestamp TIMESTAMP(6) NULL,
  c_char CHAR(10), c_varchar VARCHAR(100), c_latin1 VARCHAR(100) CHARACTER SET latin1,
  c_tinytext TINYTEXT, c_text TEXT, c_mediumtext MEDIUMTEXT, c_longtext LONGTEXT,
  c_binary BINARY(4), c_varbinary VARBINARY(20),
  c_tinyblob TINYBLOB, c_blob BLOB, c_mediumblob MEDIUMBLOB, c_longblob LONGBLOB,
  c_enum ENUM('red', 'green', 'it''s blue'), c_set SET('a', 'b', 'c'),
  c_json JSON, c_geometry GEOMETRY, c_point POINT, c_linestring LINESTRING, c_polygon POLYGON,
  c_multipoint MULTIPOINT, c_multilinestring MULTILINESTRING, c_multipolygon MULTIPOLYGON,
  c_geometrycollection GEOMETRYCOLLECTION,
  c_generated INT AS (id * 10) STORED,
  c_virtual VARCHAR(20) AS (CONCAT('row ', id)) VIRTUAL
  /*!80023 , c_invisible INT INVISIBLE DEFAULT 7 */
  /*!90000 , c_vector VECTOR(3) */
) CHARACTER SET utf8mb4 COMMENT = 'a column of every type';
INSERT INTO every_type (id, c_tinyint, c_tinyint_unsigned, c_bool, c_smallint, c_smallint_unsigned, c_mediumint, c_mediumint_unsigned,
  c_int, c_int_unsigned, c_bigint, c_bigint_unsigned, c_decimal, c_decimal_38, c_decimal_65, c_float, c_double,
  c_bit_1, c_bit_10, c_bit_64, c_year, c_date, c_time, c_datetime, c_timestamp, c_char, c_varchar, c_latin1,
  c_tinytext, c_text, c_mediumtext, c_longtext, c_binary, c_varbinary, c_tinyblob, c_blob, c_mediumblob, c_longblob,
  c_enum, c_set, c_json, c_geometry, c_point, c_linestring, c_polygon, c_multipoint, c_multilinestring, c_multipolygon,
  c_geometrycollection)
VALUES
  (1, 127, 255, TRUE, 32767, 65535, 8388607, 16777215,
    2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 12345678.90, 1234567890123456789012345678.0123456789,
    12345678901234567890123456789012345.012345678901234567890123456789, 3.14159, 2.718281828459045,
    b'1', b'1010101010', X'FFFFFFFFFFFFFFFF', 2026, '2026-02-28', '-838:59:58.999999', '2026-12-31 23:59:59.999999', '2026-06-01 12:00:00.123456',
    'char', 'varchar 表 🚚', 'latin1 é', 'tinytext', 'text', 'mediumtext', 'longtext',
    X'00FF00FF', X'DEADBEEF', X'01', X'0203', X'040506', X'0708090A',
    'it''s blue', 'a,c', '{"nested": {"list": [1, 2.5, null]}}',
    ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(3 4)'), ST_GeomFromText('LINESTRING(0 0, 1 1)'),
    ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 0))'), ST_GeomFromText('MULTIPOINT(0 0, 1 1)'),
    ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)))'),
    ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1))'));
UPDATE every_type SET c_int = c_int /*!90000 , c_vector = STRING_TO_VECTOR('[1, 2.5, -3]') */ WHERE id = 1;
INSERT INTO every_type (id) VALUES (2);
-- A date that no calendar holds.
INSERT INTO every_type (id, c_date, c_datetime) VALUES (3, '0000-00-00', '2026-02-31 00:00:00');

ANALYZE TABLE customers, products, orders, order_items, events, every_type;
ALTER TABLE every_type COMMENT = 'tablehaul demo 1: a column of every type';
DROP TABLE numbers;
