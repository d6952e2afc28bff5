-- Invisible columns are left out of SELECT * and yet are data.
CREATE TABLE hidden (id INT PRIMARY KEY, a INT INVISIBLE, b VARCHAR(10) DEFAULT 'b', c INT NOT NULL DEFAULT 7 INVISIBLE, d INT AS (a + 1) VIRTUAL INVISIBLE);
INSERT INTO hidden (id, a, b, c) VALUES (1, 10, 'x', 100), (2, NULL, NULL, 200);
INSERT INTO hidden (id) VALUES (3);
CREATE TABLE hidden_key (id INT PRIMARY KEY INVISIBLE AUTO_INCREMENT, v INT);
INSERT INTO hidden_key VALUES (5), (6);
