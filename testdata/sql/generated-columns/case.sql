-- Generated columns, stored and virtual, of several types, indexed, and one built on another: they are read like any column.
CREATE TABLE people (
  id INT PRIMARY KEY, first VARCHAR(20) NOT NULL, last VARCHAR(20), born DATE, price DECIMAL(10,2), n INT,
  full_v VARCHAR(41) GENERATED ALWAYS AS (CONCAT(first, ' ', last)) VIRTUAL, full_s VARCHAR(41) AS (CONCAT(last, ', ', first)) STORED,
  year_v INT AS (YEAR(born)) VIRTUAL, gross DECIMAL(12,4) AS (price * 1.2) STORED, half DOUBLE AS (n / 3e0) VIRTUAL, big BIGINT UNSIGNED AS (n * 4294967296) STORED,
  flag BIT(1) AS (n > 1) STORED, digest BINARY(16) AS (UNHEX(LEFT(SHA2(first, 256), 32))) STORED, chain VARCHAR(50) AS (UPPER(full_s)) VIRTUAL, KEY (year_v), UNIQUE KEY (full_s)
);
INSERT INTO people (id, first, last, born, price, n) VALUES (1, 'Ada', 'Lovelace', '1815-12-10', 10.05, 1), (2, 'Grace', 'Hopper', '1906-12-09', 0.01, 2), (3, 'Alan', NULL, NULL, NULL, NULL), (4, '', '', '2000-02-29', -9999999.99, 100);
UPDATE people SET price = price + 1 WHERE id = 2;
-- A generated column as the whole key, and one that stands before the column it is made of; MariaDB has no such key.
/*!80000 CREATE TABLE generated_key (k INT AS (v * 2) STORED, v INT NOT NULL, PRIMARY KEY (k)) */;
/*!80000 INSERT INTO generated_key (v) VALUES (1), (2), (-5) */;
CREATE TABLE generated_first (g INT AS (v * 2) STORED, h INT AS (g + 1) VIRTUAL, v INT NOT NULL, UNIQUE KEY (g));
INSERT INTO generated_first (v) VALUES (1), (2), (-5);
