-- What tools write: dumps, loaders, and copies behind a table that are swapped in.
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
DROP TABLE IF EXISTS `orders`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
CREATE TABLE `orders` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `customer` varchar(64) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL DEFAULT '',
  `total` decimal(12,2) DEFAULT NULL,
  `state` enum('new','paid','gone') COLLATE utf8mb4_bin NOT NULL DEFAULT 'new',
  `made` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  `note` text,
  PRIMARY KEY (`id`),
  UNIQUE KEY `by_customer` (`customer`,`id`),
  KEY `by_state` (`state`) USING BTREE
) ENGINE=InnoDB AUTO_INCREMENT=100 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci COMMENT='what was bought';
/*!40101 SET character_set_client = @saved_cs_client */;
LOCK TABLES `orders` WRITE;
/*!40000 ALTER TABLE `orders` DISABLE KEYS */;
INSERT INTO `orders` (`id`, `customer`) VALUES (1,'a'),(2,'b;c');
/*!40000 ALTER TABLE `orders` ENABLE KEYS */;
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER `before_order` BEFORE INSERT ON `orders` FOR EACH ROW BEGIN SET NEW.note = 'a;b'; END */;;
DELIMITER ;
/*!50003 DROP TRIGGER `before_order` */;
/*!50001 DROP VIEW IF EXISTS `orders_view`*/;
/*!50001 CREATE VIEW `orders_view` AS SELECT 1 AS `id`*/;
/*!50001 DROP VIEW IF EXISTS `orders_view`*/;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
-- Triggers that keep a copy up to date.
create /* tool */ table `_orders_new` like `orders`;
alter table `_orders_new` add column `region` varchar(8), drop column `note`, modify `total` decimal(14,2);
create table `_orders_log` (id bigint unsigned auto_increment, last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null, primary key(id), unique key hint_uidx(hint)) auto_increment=256 comment='log';
alter /* tool */ table `_orders_new` AUTO_INCREMENT=100;
DELIMITER //
CREATE TRIGGER `copy_del` AFTER DELETE ON `orders` FOR EACH ROW BEGIN DECLARE CONTINUE HANDLER FOR 1146 begin end; DELETE IGNORE FROM `_orders_new` WHERE `_orders_new`.`id` <=> OLD.`id`; END//
DELIMITER ;
DROP TRIGGER IF EXISTS `copy_del`;
lock /* tool */ tables `orders` write, `_orders_log` write;
unlock tables;
create /* tool */ table `_orders_old` (id int auto_increment primary key) engine=InnoDB comment='in the way';
drop /* tool */ table `_orders_old`;
rename /* tool */ table `orders` to `_orders_old`, `_orders_new` to `orders`;
drop table if exists `_orders_log`;
ALTER TABLE `orders` ADD COLUMN `after_swap` int;
DROP TABLE IF EXISTS `_orders_old`;
CREATE TABLE `_orders_new` LIKE `orders`;
ALTER TABLE `_orders_new` ENGINE=InnoDB;
RENAME TABLE `orders` TO `_orders_old`, `_orders_new` TO `orders`;
DROP TABLE IF EXISTS `_orders_old`;
RENAME TABLE `orders` TO `orders_a`, `orders_a` TO `orders`;
CREATE TABLE IF NOT EXISTS `schema_migrations` (`version` varchar(255) NOT NULL PRIMARY KEY, `dirty` tinyint(1) NOT NULL);
CREATE TABLE `flags` (`id` int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY, `active` bool NOT NULL, `at` datetime(6) NOT NULL, `owner_id` integer NULL, `data` longtext NOT NULL);
ALTER TABLE `flags` ADD COLUMN `extra` varchar(10) DEFAULT 'x' NOT NULL;
ALTER TABLE `flags` ALTER COLUMN `extra` DROP DEFAULT;
ALTER TABLE `flags` MODIFY `extra` varchar(20) NULL;
ALTER TABLE `flags` ADD CONSTRAINT `flags_owner_uniq` UNIQUE (`owner_id`);
CREATE INDEX `flags_at` ON `flags` (`at`);
ALTER TABLE `flags` DROP COLUMN `extra` CASCADE;
ALTER TABLE `flags` ADD `created_at` timestamp null, ADD `updated_at` timestamp null;
ALTER TABLE flags CHANGE owner_id owner_id BIGINT DEFAULT NULL COMMENT '(DC2Type:id)', CHANGE active active TINYINT(1) DEFAULT 1 NOT NULL;
alter table `flags` rename column `data` to `payload`;
ALTER TABLE flags ADD COLUMN ( a1 varchar(5), a2 varchar(5) ), ADD COLUMN a3 INT AFTER id;
