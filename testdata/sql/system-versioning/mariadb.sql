-- System-versioned tables of MariaDB: only the current rows are a table's rows; hidden period columns are not columns, declared ones are.
SET time_zone = '+00:00';
CREATE TABLE implicit_period (id INT PRIMARY KEY, v VARCHAR(10)) WITH SYSTEM VERSIONING;
INSERT INTO implicit_period VALUES (1, 'a'), (2, 'b'), (3, 'c');
UPDATE implicit_period SET v = 'changed' WHERE id = 1;
DELETE FROM implicit_period WHERE id = 2;
CREATE TABLE explicit_period (id INT, v INT, valid_from TIMESTAMP(6) GENERATED ALWAYS AS ROW START, valid_to TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (valid_from, valid_to)) WITH SYSTEM VERSIONING;
INSERT INTO explicit_period (id, v) VALUES (1, 1), (2, 2), (2, 2);
UPDATE explicit_period SET v = 10 WHERE id = 1;
CREATE TABLE column_without (id INT PRIMARY KEY, v INT, w INT WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING;
INSERT INTO column_without VALUES (1, 1, 1);
UPDATE column_without SET w = 2;
CREATE TABLE application_period (id INT, v INT, a DATE, b DATE, PERIOD FOR p (a, b));
INSERT INTO application_period VALUES (1, 1, '2020-01-01', '2021-01-01');
