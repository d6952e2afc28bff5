-- Defaults that are expressions, and indexes over expressions, whose hidden columns must not land.
CREATE TABLE defaults_of_functions (
  id INT PRIMARY KEY, u CHAR(36) DEFAULT (UUID()), made DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), b BLOB DEFAULT ('x'), t TEXT DEFAULT ('it''s'), n INT DEFAULT (1 + 1), r DOUBLE DEFAULT (RAND()), later DATE DEFAULT (CURRENT_DATE + INTERVAL 1 YEAR), e VARCHAR(10) DEFAULT ''
);
INSERT INTO defaults_of_functions (id) VALUES (1), (2), (3);
INSERT INTO defaults_of_functions VALUES (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
/*!80013 CREATE INDEX on_expression ON defaults_of_functions ((n * 2), (LOWER(e))) */;
