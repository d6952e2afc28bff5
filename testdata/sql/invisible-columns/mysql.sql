-- Invisible columns are left out of SELECT * and yet are data; so is MySQL's generated invisible primary key.
CREATE TABLE hidden (id INT PRIMARY KEY, a INT INVISIBLE, b VARCHAR(10) DEFAULT 'b', c INT NOT NULL DEFAULT 7 INVISIBLE, d INT AS (a + 1) VIRTUAL INVISIBLE);
INSERT INTO hidden (id, a, b, c) VALUES (1, 10, 'x', 100), (2, NULL, NULL, 200);
INSERT INTO hidden (id) VALUES (3);
CREATE TABLE hidden_key (id INT PRIMARY KEY INVISIBLE AUTO_INCREMENT, v INT);
INSERT INTO hidden_key VALUES (5), (6);
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE generated_key (v VARCHAR(10), n INT);
INSERT INTO generated_key VALUES ('a', 1), ('a', 1), (NULL, NULL);
SET SESSION sql_generate_invisible_primary_key = OFF;
CREATE TABLE no_key (v VARCHAR(10));
INSERT INTO no_key VALUES ('a'), ('a');
