-- Odd names, words of the grammar as names, comments in statements, quotes, blanks and case.
CREATE TABLE `select` (`from` INT, `where` INT, `a b` INT, `a``b` INT, `"q"` INT, `'s'` INT, `1` INT, `2x` INT, `-` INT, `é` INT, `日本` INT, `a.b` INT, `a;b` INT, `#` INT, `--` INT, `/*` INT, PRIMARY KEY (`from`, `a``b`));
ALTER TABLE `select` ADD `order` INT AFTER `a``b`, DROP `;`;
ALTER TABLE `select` ADD `order` INT AFTER `a``b`, RENAME COLUMN `a;b` TO `,`, CHANGE `/*` `*/` INT, DROP `--`;
ALTER TABLE `select` ADD `drop` INT, ADD `primary` INT, ADD `rename` INT, MODIFY `,` INT AFTER `primary`;
ALTER TABLE `select` DROP `drop`, DROP `primary`, DROP COLUMN `rename`;
RENAME TABLE `select` TO `to`, `to` TO `,`, `,` TO `a TO b`;
ALTER TABLE `a TO b` RENAME TO `table`;
CREATE TABLE words (action INT, algorithm INT, at INT, bit INT, bool INT, charset INT, checksum INT, code INT, comment INT, date DATE, datetime DATETIME, day INT, disk INT, enum INT, event INT, expire INT, fields INT, first INT, format INT, hash INT, hour INT, name INT, no INT, none INT, password INT, start INT, status INT, text TEXT, time TIME, timestamp TIMESTAMP NULL, type INT, user INT, value INT, view INT, year YEAR, zone INT, invisible INT, visible INT, geometry INT, point INT, storage INT, temporary INT, tablespace INT, uuid INT, vector INT, national INT, json JSON, national_char INT, nchar_ INT, wait INT, online INT, versioning INT, srid INT, hidden_ INT);
ALTER TABLE words DROP first, DROP comment, DROP COLUMN visible, MODIFY invisible BIGINT, ADD visible INT AFTER invisible;
ALTER TABLE words DROP action, ADD first INT FIRST, ADD after_ INT AFTER first, CHANGE start end INT, CHANGE point geom INT AFTER geometry;
ALTER TABLE words ADD COLUMN compressed INT, ADD COLUMN byte INT, ADD COLUMN unicode INT, ADD COLUMN ascii INT, ADD column_format INT, ADD engine INT, ADD nvarchar_ INT, RENAME COLUMN text TO txt;
ALTER /* a comment */ TABLE /* another */ words /* , DROP type */ ADD /* ; */ x INT -- , DROP name
, ADD y INT # , DROP user
;
ALTER TABLE words ADD /*!40000 z INT */;
ALTER TABLE words /*!50000 ADD z1 INT, */ ADD z2 INT /*!50000 NOT NULL */;
ALTER TABLE words /*!99999 DROP z1, */ ADD z3 INT;
ALTER TABLE words /*!999999 DROP z1, */ ADD z4 INT;
ALTER TABLE words ADD z5 INT COMMENT 'no /* comment */ -- here # or here';
ALTER TABLE words ADD z6 INT COMMENT '/*! not */ run';
/* before */ ALTER TABLE words ADD z7 INT /* behind */;
-- a line before
# and another
alter	table
words	add
z8	int;
aLtEr TaBlE words aDd CoLuMn Z9 iNt AfTeR Z8;
ALTER TABLE words ADD z10 INT/**/,ADD/**/z11/**/INT;
ALTER TABLE`words`ADD`z12`INT,ADD`z13`INT;
ALTER TABLE words ADD z14 INT COMMENT 'a''b' , ADD z15 INT COMMENT "a""b", ADD z16 INT COMMENT 'a\'b', ADD z17 VARCHAR(5) DEFAULT '\\';
CREATE TABLE no_blanks(a int not null,b varchar(5)default'x'comment'y',primary key(a))engine=innodb;
CREATE TABLE  blanks (a INT,b INT) ;
CREATE TABLE CaseOfNames (Id INT, ID2 INT, PRIMARY KEY (iD));
ALTER TABLE CaseOfNames DROP id2, RENAME COLUMN ID TO id;
CREATE TABLE `semi;colon` (a INT);
ALTER TABLE `semi;colon` ADD b INT;
CREATE TABLE `dot.ted` (a INT);
ALTER TABLE `dot.ted` ADD b INT, ALGORITHM=INPLACE;
CREATE TABLE `emoji_in_text` (a INT COMMENT '😀');
SET sql_mode = 'ANSI_QUOTES';
CREATE TABLE "ansi" ("a" INT, "b c" VARCHAR(5) DEFAULT 'x', PRIMARY KEY ("a"));
ALTER TABLE "ansi" ADD "d" INT AFTER "a", RENAME COLUMN "b c" TO "e""f";
ALTER TABLE ansi ADD g INT COMMENT 'say "so"';
RENAME TABLE "ansi" TO "ansi 2";
SET sql_mode = 'NO_BACKSLASH_ESCAPES';
CREATE TABLE slashes (a INT COMMENT '\', b ENUM('\', 'x\n') DEFAULT '\');
ALTER TABLE slashes ADD c INT COMMENT 'C:\' , ADD d INT COMMENT 'it''s\';
SET sql_mode = 'REAL_AS_FLOAT';
CREATE TABLE reals (a REAL, b DOUBLE, c FLOAT, `real` REAL NOT NULL);
ALTER TABLE reals ADD d REAL, MODIFY b REAL;
SET sql_mode = 'PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE';
CREATE TABLE piped (a VARCHAR(9), b VARCHAR(20) AS (a || 'x'));
SET sql_mode = '';
CREATE TABLE lax (a VARCHAR(70000), b VARBINARY(70000));
ALTER TABLE reals ADD e VARCHAR(20000), ADD f VARCHAR(17000) CHARACTER SET latin1, ADD g VARBINARY(80000), ADD h CHAR(255);
SET sql_mode = DEFAULT;
