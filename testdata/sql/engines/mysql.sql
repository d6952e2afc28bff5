-- Engines beside InnoDB: tables without transactions are read all the same. One with a row format of its own.
CREATE TABLE myisam (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE = MyISAM;
INSERT INTO myisam VALUES (1, 'a'), (2, NULL), (3, 'c');
DELETE FROM myisam WHERE id = 3;
CREATE TABLE in_memory (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE = MEMORY;
INSERT INTO in_memory VALUES (1, 'a'), (2, NULL);
CREATE TABLE csv_file (id INT NOT NULL, v VARCHAR(20) NOT NULL) ENGINE = CSV;
INSERT INTO csv_file VALUES (1, 'a,"b"'), (1, 'a,"b"'), (2, '');
CREATE TABLE redundant (id INT PRIMARY KEY, v CHAR(200), t TEXT) ENGINE = InnoDB ROW_FORMAT = REDUNDANT;
INSERT INTO redundant VALUES (1, 'a', REPEAT('x', 10000)), (2, NULL, NULL);
CREATE TABLE compressed (id INT PRIMARY KEY, v CHAR(200), t TEXT) ENGINE = InnoDB ROW_FORMAT = COMPRESSED;
INSERT INTO compressed VALUES (1, 'a', REPEAT('x', 10000)), (2, NULL, NULL);
