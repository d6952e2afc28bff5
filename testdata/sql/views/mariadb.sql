-- Views, routines and triggers stand beside tables; only the tables are copied.
CREATE TABLE base (id INT PRIMARY KEY, v INT);
INSERT INTO base VALUES (1, 10), (2, 20);
CREATE VIEW all_of_it AS SELECT * FROM base;
CREATE VIEW a_sum AS SELECT COUNT(*) n, SUM(v) s FROM base;
CREATE VIEW `a view over a view` AS SELECT * FROM all_of_it WHERE id = 1;
CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20));
CREATE TRIGGER on_insert AFTER INSERT ON base FOR EACH ROW INSERT INTO log (what) VALUES (CONCAT('insert ', NEW.id));
INSERT INTO base VALUES (3, 30);
CREATE PROCEDURE noop() SELECT 1;
CREATE TEMPORARY TABLE passing (id INT);
INSERT INTO passing VALUES (1);
-- A sequence of MariaDB is listed among the tables.
CREATE SEQUENCE counter START WITH 100 INCREMENT BY 10;
SELECT NEXTVAL(counter);
CREATE TABLE numbered (id BIGINT DEFAULT NEXTVAL(counter) PRIMARY KEY, v INT);
INSERT INTO numbered (v) VALUES (1), (2);
