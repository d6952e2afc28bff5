-- Partitioned tables read as one table, whatever their partitions are: by range, list, hash and key, and one split twice.
CREATE TABLE by_range (id INT NOT NULL, at DATE NOT NULL, v INT, PRIMARY KEY (id, at)) PARTITION BY RANGE (YEAR(at)) (
  PARTITION before_2000 VALUES LESS THAN (2000), PARTITION before_2020 VALUES LESS THAN (2020), PARTITION empty_one VALUES LESS THAN (2021), PARTITION rest VALUES LESS THAN MAXVALUE);
INSERT INTO by_range VALUES (1, '1999-12-31', 1), (2, '2000-01-01', 2), (3, '2019-06-01', 3), (4, '2021-01-01', 4), (5, '9999-12-31', 5);
CREATE TABLE by_hash (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 7;
INSERT INTO by_hash VALUES (-8, 1), (-1, 2), (0, 3), (1, 4), (7, 5), (8, 6), (100, 7);
CREATE TABLE by_key (k VARCHAR(10) PRIMARY KEY, v INT) PARTITION BY KEY (k) PARTITIONS 3;
INSERT INTO by_key VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4), ('', 5);
CREATE TABLE by_list (region INT, v INT) PARTITION BY LIST (region) (PARTITION p_null VALUES IN (NULL, 0), PARTITION p_odd VALUES IN (1, 3), PARTITION p_even VALUES IN (2, 4));
INSERT INTO by_list VALUES (NULL, 1), (NULL, 1), (0, 2), (1, 3), (4, 4);
CREATE TABLE split_twice (id INT, at DATE, v INT) PARTITION BY RANGE COLUMNS (at) SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (
  PARTITION p0 VALUES LESS THAN ('2010-01-01'), PARTITION p1 VALUES LESS THAN (MAXVALUE));
INSERT INTO split_twice VALUES (1, '2009-12-31', 1), (2, '2010-01-01', 2), (3, '2024-01-01', 3), (3, '2024-01-01', 3);
