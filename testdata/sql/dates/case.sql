-- DATE: both ends of the documented range, dates before it, leap days and the changes of calendar that some libraries make.
CREATE TABLE dates (id INT PRIMARY KEY, d DATE, nn DATE NOT NULL);
INSERT INTO dates VALUES
  (1, '1000-01-01', '1000-01-01'), (2, '9999-12-31', '9999-12-31'), (3, '0001-01-01', '0001-01-01'), (4, '1970-01-01', '1969-12-31'),
  (5, '1582-10-04', '1582-10-15'), (6, '1582-10-10', '1900-02-28'), (7, '2000-02-29', '2024-02-29'), (8, '0004-02-29', '0999-12-31'),
  (9, NULL, '2038-01-19'), (10, '1600-12-31', '1601-01-01'), (11, '1752-09-03', '1752-09-14');
CREATE TABLE date_key (k DATE PRIMARY KEY, v INT);
INSERT INTO date_key VALUES ('0001-01-01', 1), ('1969-12-31', 2), ('1970-01-01', 3), ('9999-12-31', 4);
-- The server counts year 0 as a year like any other; the calendar knows it too.
CREATE TABLE year_zero (id INT PRIMARY KEY, d DATE, dt DATETIME(6));
INSERT INTO year_zero VALUES (1, '0000-01-01', '0000-01-01 00:00:00'), (2, '0000-03-01', '0000-12-31 23:59:59.999999');
